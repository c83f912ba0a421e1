"""Puts the parts of a trajectory together, each at its place as it comes, so that what was played is held once."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec, IntArray
from chorus.common.errors import MalformedData
from chorus.common.tasks.parts import Part, Place, Walk, arrays_for
from chorus.common.tasks.room import Filling, Room
from chorus.common.tasks.trajectory import Array, Trajectory


class Joining:
    """One task's parts, joined."""

    def __init__(
        self,
        spec: EnvironmentSpec,
        episodes: int,
        instances: int,
        longest: int | None = None,
        room: Room | None = None,
    ) -> None:
        """Of K episodes, played L at a time, each of no more than `longest` steps (`max_steps`, if that is less); their
        arrays are made in `room`, in memory without one."""
        self._spec = spec
        self._room = room or Room()
        self._walk = Walk(episodes, instances)
        self._longest = min((limit for limit in (spec.max_steps, longest) if limit), default=None)
        self._lengths: IntArray = np.zeros(episodes, np.int32)
        self._filling: dict[str, Filling] = {}
        self._steps = 0
        self._first: Part | None = None

    def add(self, part: Part) -> Trajectory | None:
        """Take the next part; return the trajectory, read-only, once it is whole.

        Raises:
            MalformedData: another part should come, or its arrays are none of this environment's.
            OSError: the room's disk is full.
        """
        if self._first is None:
            self._first = replace(part, arrays={})
        elif (part.task, part.version) != (self._first.task, self._first.version):
            raise MalformedData(
                f"a part of {part.task} by version {part.version} came before {self._first.task} by version"
                f" {self._first.version} was whole"
            )
        self._see_shapes(part)
        spans = self._walk.spans(part)
        steps = max(span.steps.stop for span in spans)
        if self._longest is not None and steps > self._longest:
            raise MalformedData(f"acted covers {steps} steps; expected 1 to {self._longest}")
        self._make_room(max(steps, self._steps), part.last)
        begin, lengths = 0, part.arrays["lengths"]
        for span in spans:
            end = begin + span.slots
            for name, filling in self._filling.items():
                array = filling.array
                if array.size:
                    to = array[span.steps, span.episodes]
                    to[...] = part.arrays[name][begin:end].reshape(to.shape)
            begin = end
        first = part.place.episode
        self._lengths[first : first + len(lengths)] = lengths
        return self._whole() if part.last else None

    def _see_shapes(self, part: Part) -> None:
        expected = arrays_for(self._spec, part.slots)
        for name, (shape, dtype) in expected.items():
            array = part.arrays[name]
            if array.dtype != dtype or array.shape != shape:
                raise MalformedData(f"{name} is {array.dtype} {list(array.shape)}; expected {dtype} {list(shape)}")
        lengths = part.arrays["lengths"]
        if lengths.dtype != np.int32 or lengths.ndim != 1:
            raise MalformedData(f"lengths is {lengths.dtype} {list(lengths.shape)}; expected int32 [episodes that end]")
        if lengths.size and lengths.min() < 1:
            raise MalformedData(f"lengths run from {lengths.min()} to {lengths.max()}; expected 1 or more")

    def _make_room(self, steps: int, last: bool) -> None:
        """See that there is room for so many steps; for more, if more are to come."""
        there = len(self._filling["acted"].array) if self._filling else 0
        self._steps = steps
        if steps > there:
            wanted = steps if last else max(steps, 2 * there)
            self._filling = {
                name: self._grown(name, wanted, shape, dtype)
                for name, (shape, dtype) in arrays_for(self._spec, 1, len(self._lengths)).items()
            }
        for filling in self._filling.values():
            filling.reserve(steps)

    def _grown(self, name: str, steps: int, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Filling:
        """An array with room for so many steps. A large one has room for all that may come, and never moves."""
        if not shape[0]:
            return self._room.zeros((0, *shape[1:]), dtype)
        before = self._filling.get(name)
        each = prod(shape) * dtype.itemsize
        if steps * each > self._room.large and self._longest:
            steps = self._longest
        if before is not None and len(before.array) >= steps:
            return before
        grown = self._room.zeros((steps, *shape[1:]), dtype)
        if before is not None:
            grown.reserve(len(before.array))
            grown.array[: len(before.array)] = before.array
        return grown

    def _whole(self) -> Trajectory:
        arrays: dict[str, Array] = {}
        for name, filling in self._filling.items():
            array = filling.array
            used = array[: self._steps] if array.size else array
            kept = used.copy() if used.size < array.size and array.nbytes <= self._room.large else used
            kept.flags.writeable = False
            arrays[name] = kept
        self._lengths.flags.writeable = False
        self._filling = {}
        assert self._first is not None
        return Trajectory(self._first.task, self._first.version, lengths=self._lengths, **arrays)  # type: ignore[arg-type]

    @property
    def place(self) -> Place:
        """Where the next part must begin."""
        return self._walk.place
