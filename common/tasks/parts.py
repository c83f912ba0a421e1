"""The parts in which a trajectory travels: what they hold, where they end, and the digest of all so far.

The *slots* of a task are its steps of episodes in the order of playing: the first step of all episodes of the first
wave, the second step of them, …, then the next wave. A part is some consecutive steps. Where it ends follows from the
environment's spec and from L, never from a host or from time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import MalformedData
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Array, Trajectory

PART_BYTES = 8 << 20
"""What a part holds at most, unless one step of a wave alone is more."""
LENGTH_BYTES = 4


class Place(NamedTuple):
    """A step of a wave."""

    episode: int
    """The number of the wave's first episode."""
    step: int


class Span(NamedTuple):
    """Consecutive steps of one wave."""

    episodes: slice
    steps: slice

    @property
    def slots(self) -> int:
        """How many there are."""
        episodes, steps = self.episodes, self.steps
        return int((episodes.stop - episodes.start) * (steps.stop - steps.start))


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive steps of a task.

    Attributes:
        task: that was played.
        version: of the policy that acted.
        place: its first step.
        last: whether the task ends with it.
        arrays: those of `Trajectory`, by name and in its order, `[slot, ...]` in place of `[time, episode, ...]`.
            `lengths` are those of the waves that end in this part.
    """

    task: Task
    version: int
    place: Place
    last: bool
    arrays: dict[str, Array]

    @property
    def slots(self) -> int:
        """How many it has."""
        return len(self.arrays["acted"])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def slot_bytes(spec: EnvironmentSpec) -> int:
    """What one step of one episode weighs, the episode's length counted with every step."""
    return spec.step_bytes + LENGTH_BYTES


def slots_of_part(spec: EnvironmentSpec, wave: int, bound: int = PART_BYTES) -> int:
    """How many slots a part has at most where a wave has so many episodes: so many as weigh `bound` bytes, but at least
    one step of the wave."""
    return max(wave, bound // slot_bytes(spec))


def arrays_for(spec: EnvironmentSpec, *axes: int) -> dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]]:
    """Shape and dtype of what is recorded at each step, by name, where the first axes are these."""
    slots = (*axes, len(spec.agents))
    masks = (*slots, spec.choice_size) if spec.action_masks else (0,) * (len(slots) + 1)
    number, flag = np.dtype(np.float32), np.dtype(np.bool_)
    return {
        "observations": ((*slots, spec.observation_size), spec.observation_dtype),
        "actions": ((*slots, spec.action_size), np.dtype(np.int32) if spec.discrete else number),
        "log_probabilities": (slots, number),
        "acted": (slots, flag),
        "individual_rewards": (slots, number),
        "team_rewards": (axes, number),
        "terminated": (slots, flag),
        "truncated": (slots, flag),
        "action_masks": (masks, flag),
    }


class Walk:
    """Goes through a task's parts, and says which steps of which episodes each one holds.

    Attributes:
        place: where the next part begins.
    """

    def __init__(self, episodes: int, instances: int) -> None:
        """Through K episodes that are played L at a time."""
        self.place = Place(0, 0)
        self._episodes = episodes
        self._instances = instances

    @property
    def over(self) -> bool:
        """Whether every wave has ended."""
        return self.place.episode >= self._episodes

    def spans(self, part: Part) -> list[Span]:
        """The steps that the next part holds.

        Raises:
            MalformedData: another part should come, or its lengths and its number of slots do not fit each other.
        """
        if part.place != self.place:
            raise MalformedData(
                f"a part of {part.task} begins at episode {part.place.episode}, step {part.place.step}; expected"
                f" episode {self.place.episode}, step {self.place.step}"
            )
        found, slots, lengths = [], part.slots, part.arrays["lengths"]
        episode, step = self.place
        while slots or len(lengths):
            size = min(self._instances, self._episodes - episode)
            if size <= 0:
                raise MalformedData(f"a part of {part.task} goes beyond its {self._episodes} episodes")
            ends = len(lengths) > 0
            stop = int(lengths[:size].max()) if ends else step + slots // size
            span = Span(slice(episode, episode + size), slice(step, stop))
            fits = len(lengths) >= size if ends else slots % size == 0
            if not fits or stop <= step or span.slots > slots:
                raise MalformedData(
                    f"a part of {part.task} holds {part.slots} slots and {len(part.arrays['lengths'])} lengths, which"
                    f" do not fit each other from episode {episode}, step {step} on"
                )
            found.append(span)
            slots -= span.slots
            lengths = lengths[size:] if ends else lengths
            episode, step = (episode + size, 0) if ends else (episode, stop)
        if not found:
            raise MalformedData(f"a part of {part.task} is empty")
        self.place = Place(episode, step)
        if part.last != self.over:
            raise MalformedData(
                f"a part of {part.task} says that it is {'' if part.last else 'not '}the last, at episode {episode} of"
                f" {self._episodes}"
            )
        return found


class RunningDigest:
    """SHA-256 of the parts of a task, one after another; each travels with that of all parts up to it."""

    def __init__(self) -> None:
        self._hashed = hashlib.sha256()

    def after(self, part: Part) -> bytes:
        """The digest, 32 bytes, of all parts so far and this one."""
        about = (*part.task, part.version, *part.place, part.last)
        self._hashed.update(repr(tuple(int(number) for number in about)).encode())
        for name, array in part.arrays.items():
            self._hashed.update(f"{name} {array.dtype.str} {array.shape}".encode())
            self._hashed.update(np.ascontiguousarray(array).data)
        return self._hashed.copy().digest()


def divide(trajectory: Trajectory, instances: int | None = None, bound: int = PART_BYTES) -> Iterator[Part]:
    """The parts that a trajectory of waves of L episodes travels in (one wave if L is None)."""
    lengths = trajectory.lengths
    episodes = len(lengths)
    size = min(instances or episodes, episodes)
    arrays = {name: array for name, array in trajectory.arrays.items() if name != "lengths"}
    each = sum(array.nbytes for array in arrays.values()) // max(1, trajectory.acted.shape[0] * episodes) + LENGTH_BYTES
    room = max(size, bound // each)
    held: list[Span] = []
    place = Place(0, 0)
    for first in range(0, episodes, size):
        wave = slice(first, min(first + size, episodes))
        wide, step, longest = wave.stop - first, 0, int(lengths[wave].max())
        while step < longest:
            free = (room - sum(span.slots for span in held)) // wide
            if not free:
                yield _part(trajectory, arrays, held, place, False)
                held, place = [], Place(first, step)
                continue
            held.append(Span(wave, slice(step, min(step + free, longest))))
            step = held[-1].steps.stop
    yield _part(trajectory, arrays, held, place, True)


def digest_of_parts(trajectory: Trajectory, instances: int | None = None) -> str:
    """What the record holds of a task: the digest after the last of the parts it travels in, in hexadecimal."""
    running, found = RunningDigest(), b""
    for part in divide(trajectory, instances):
        found = running.after(part)
    return found.hex()


def _part(trajectory: Trajectory, arrays: dict[str, Array], spans: list[Span], place: Place, last: bool) -> Part:
    lengths = trajectory.lengths
    ended = [lengths[span.episodes] for span in spans if span.steps.stop == lengths[span.episodes].max()]
    found: dict[str, Array] = {}
    for name in Trajectory.NAMES:
        if name == "lengths":
            found[name] = np.concatenate([np.zeros(0, np.int32), *ended])
        elif not arrays[name].size:
            found[name] = arrays[name].reshape(arrays[name].shape[1:])
        else:
            found[name] = np.concatenate([_flat(arrays[name][span.steps, span.episodes]) for span in spans])
    return Part(trajectory.task, trajectory.version, place, last, found)


def _flat(array: Array) -> Array:
    """`[time, episode, ...]` as `[slot, ...]`."""
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])
