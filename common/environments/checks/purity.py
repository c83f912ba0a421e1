"""The proof, before the first task, that an environment's episodes are a pure function of generator and actions.

A reused environment must play exactly as a fresh one does. One that does not (some keep things from one episode to the
next) is made anew for every task, and what that costs is measured and said. One of which even two fresh instances
differ draws from somewhere that no seed reaches: it can be trained on, but the run is not reproducible.

The proof plays short episodes only, so it can miss what shows late; the audit of a run is there to catch that.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments import progress
from chorus.common.environments.interface import (
    ActionArray,
    Bounds,
    Environment,
    EnvironmentSpec,
    Frame,
    Outcome,
    kind_of,
)
from chorus.common.environments.user_errors import blame
from chorus.common.errors import EnvironmentFault

EPISODES = 2
STEPS = 25
BEGINNINGS = 24  # how often a used environment must begin as it did at first, after one other task or another
SEED = 20_240_229  # of the proof's own episodes; any would do

SLOW_SECONDS = 1.0
"""An environment that takes longer to make is proven by a single instance."""

Factory = Callable[[], Environment]
Level = Literal["full", "light", "none"]


class Purity(Enum):
    """What the proof found."""

    PURE = "a reused environment plays as a fresh one"
    FRESH_ONLY = "only a fresh environment repeats itself"
    NOT_REPRODUCIBLE = "not even fresh environments repeat themselves"


@dataclass(frozen=True)
class PurityResult:
    """What the proof found, and what follows.

    Attributes:
        purity: the finding.
        message: one line for the user; empty if there is nothing to say.
        cost: seconds that making the environment anew adds to every task; 0 if it is reused.
        digest: of the episodes that a fresh instance played, to compare with those of another process; empty without a
            proof.
        seconds: that making it took.
        at_once: how many episodes were played at once; None for all.
    """

    purity: Purity
    message: str = ""
    cost: float = 0.0
    digest: str = ""
    seconds: float = 0.0
    at_once: int | None = None

    @property
    def reproducible(self) -> bool:
        """Whether equal seeds give equal episodes."""
        return self.purity is not Purity.NOT_REPRODUCIBLE


def prove(
    make: Factory,
    *,
    level: Level = "full",
    episodes: int = EPISODES,
    steps: int = STEPS,
    task_episodes: int | None = None,
    instances: int | None = None,
) -> tuple[Environment, PurityResult]:
    """Make an environment that is safe to reuse for task after task, and say what was found.

    There is never more than one of them at a time. It plays with as few instances as `instances` says, and with one
    if making that takes long.

    Args:
        make: makes a fresh environment.
        level: how much is looked at, as `environment.proof` has it.
        episodes: K of the proof's tasks.
        steps: the proof plays no further.
        task_episodes: K of the tasks to come, for which the cost of making it anew is measured where it must be.
        instances: L, how many episodes may be played at once; None for all.

    Returns:
        An environment to play tasks with, and the finding.
    """
    progress.tell("making the environment")
    began = time.monotonic()
    used = make()
    seconds = time.monotonic() - began
    if level == "none":
        told = f"environment {used.spec.name!r} was not checked for reproducibility (environment.proof is none)"
        return used, PurityResult(Purity.PURE, told, seconds=seconds)
    limits = [limit for limit in (instances, used.spec.instances) if limit is not None]
    at_once = 1 if seconds > SLOW_SECONDS else min(limits, default=None)
    count = min(task_episodes or episodes, instances or task_episodes or episodes)
    name = used.spec.name
    try:
        used_digest, reused_as_fresh = _reuse(used, episodes, steps, at_once)
        if level == "full":
            used.close()
            progress.tell(f"making a fresh environment to compare with, {seconds:.1f} s")
            used = make()
            fresh_differs = digest(used, SEED, episodes, steps, at_once) != used_digest
        else:
            fresh_differs = False
    except BaseException as error:
        used.close()
        fault = blame(error, f"environment {name!r}, when it was tried before the first task")
        raise fault from fault.__cause__
    environment, found = _conclude(make, used, used_digest, reused_as_fresh, fresh_differs, level, seconds, count)
    return environment, replace(found, at_once=at_once)


def _reuse(used: Environment, episodes: int, steps: int, at_once: int | None) -> tuple[str, bool]:
    """What a fresh environment plays, and whether it plays that again after it was used."""
    progress.tell("playing it, fresh and used")
    first = digest(used, SEED, episodes, steps, at_once)
    digest(used, SEED + 1, episodes + 1, min(steps, 3), at_once)  # something else, broken off in the middle
    again = digest(used, SEED, episodes, steps, at_once)
    if again != first:
        return first, False
    beginnings = {_beginning(used, number, episodes, at_once) for number in range(BEGINNINGS)}
    return first, len(beginnings) == 1


def _conclude(
    make: Factory,
    environment: Environment,
    found: str,
    reused_as_fresh: bool,
    fresh_differs: bool,
    level: Level,
    seconds: float,
    task_episodes: int,
) -> tuple[Environment, PurityResult]:
    name = environment.spec.name
    if fresh_differs:
        return environment, PurityResult(
            Purity.NOT_REPRODUCIBLE,
            f"environment {name!r} is not reproducible: two fresh instances differ for the same seed; runs with it "
            "cannot be repeated or audited. Remedy: let it draw only from the seed given to reset",
            digest=found,
            seconds=seconds,
        )
    if not reused_as_fresh:
        cost = seconds * task_episodes
        renewed: Environment = Fresh(make, environment)
        if seconds <= SLOW_SECONDS:
            _seconds(environment, task_episodes)  # the first time, it may have to make room for so many
            reused = _seconds(environment, task_episodes)
            cost = max(0.0, _seconds(renewed, task_episodes) - reused)
        return renewed, PurityResult(
            Purity.FRESH_ONLY,
            f"environment {name!r} keeps something from one task to the next, so it is made anew for every task, which "
            f"costs about {1000 * cost:.0f} ms for a task of {task_episodes} episodes. Remedy: let reset put "
            "everything back",
            cost,
            found,
            seconds,
        )
    told = ""
    if level == "light":
        told = (
            f"environment {name!r} repeats itself; whether a fresh instance plays as a used one was not looked at "
            "(environment.proof is light)"
        )
    return environment, PurityResult(Purity.PURE, told, digest=found, seconds=seconds)


def _beginning(environment: Environment, number: int, episodes: int, at_once: int | None) -> str:
    """How the proof's episodes begin after the `number`th of some other tasks, broken off after a step."""
    progress.tell(f"beginning it anew, {number + 1} of {BEGINNINGS}")
    # A seed on which the environment raises fails its own task when it is played, not the proof.
    with suppress(Exception):
        digest(environment, SEED + 2 + number, episodes, 1, at_once)
    return digest(environment, SEED, episodes, 0, at_once)


def _seconds(environment: Environment, episodes: int) -> float:
    """How long a reset takes."""
    clock = time.perf_counter()
    environment.reset(episodes, np.random.default_rng(SEED))
    return time.perf_counter() - clock


class Fresh:
    """An environment that is made anew at every reset."""

    def __init__(self, make: Factory, first: Environment) -> None:
        self._make = make
        self._environment = first
        self._spec = first.spec

    @property
    def inside(self) -> Environment:
        """The environment of now."""
        return self._environment

    @property
    def spec(self) -> EnvironmentSpec:
        """That of the environment inside."""
        return self._spec

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Make the environment anew and begin."""
        self._environment.close()
        self._environment = self._make()
        return self._environment.reset(episodes, generator)

    def step(self, actions: ActionArray) -> Outcome:
        """A step of the environment inside."""
        return self._environment.step(actions)

    def render(self) -> NDArray[np.uint8] | None:
        """The picture of the environment inside."""
        return self._environment.render()

    def close(self) -> None:
        """Close the environment inside."""
        self._environment.close()


def digest(environment: Environment, seed: int, episodes: int, steps: int, instances: int | None = None) -> str:
    """SHA-256 of everything that K episodes with random actions show, up to `steps` steps, `instances` at once."""
    draw, generator = np.random.default_rng(seed + 2), np.random.default_rng(seed)
    seen = hashlib.sha256()
    at_once = min(instances or episodes, episodes)
    for first in range(0, episodes, at_once):
        _play(environment, min(at_once, episodes - first), generator, draw, steps, seen)
    return seen.hexdigest()


def _play(
    environment: Environment,
    episodes: int,
    generator: np.random.Generator,
    draw: np.random.Generator,
    steps: int,
    seen: hashlib._Hash,
) -> None:
    frame = environment.reset(episodes, generator)
    _absorb(seen, frame)
    for step in range(steps):
        progress.tell(f"playing, step {step}")
        outcome = environment.step(random_actions(environment.spec, frame, draw))
        frame = outcome.frame
        for array in (
            outcome.rewards, outcome.team_rewards, outcome.terminated, outcome.truncated, outcome.over
        ):  # fmt: skip
            seen.update(array.tobytes())
        final = frame.observations if outcome.final_observations is None else outcome.final_observations
        seen.update(final[outcome.truncated].tobytes())
        _absorb(seen, frame)
        if outcome.over.all():
            break


def _absorb(seen: hashlib._Hash, frame: Frame) -> None:
    seen.update(frame.present.tobytes())
    seen.update(frame.observations[frame.present].tobytes())
    if frame.action_mask is not None:
        seen.update(frame.action_mask[frame.present].tobytes())


def random_actions(spec: EnvironmentSpec, frame: Frame, draw: np.random.Generator) -> ActionArray:
    """Actions drawn evenly from those allowed, `[episode, agent, component]`, zero for the absent.

    As in a rollout, every slot is drawn for whether anybody is there or not.
    """
    chance = draw.random((*frame.present.shape, spec.action_size))
    if not spec.discrete:
        actions = np.zeros(chance.shape, np.float32)
        for i, agent in enumerate(spec.agents):
            for component, bounds in enumerate(agent.bounds):
                actions[:, i, component] = _anywhere(bounds, chance[:, i, component])
        actions[~frame.present] = 0.0
        return actions
    choices = np.zeros(chance.shape, np.int32)
    for i, agent in enumerate(spec.agents):
        start = 0
        for component, count in enumerate(agent.choices):
            allowed = np.ones((len(chance), count), bool)
            if frame.action_mask is not None:
                allowed = frame.action_mask[:, i, start : start + count]
            choices[:, i, component] = _choose(allowed, chance[:, i, component], frame.present[:, i], agent.name)
            start += count
    choices[~frame.present] = 0
    return choices


def _anywhere(bounds: tuple[float, float], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers within bounds: evenly between two, exponentially from one alone, logistically where there is none."""
    (low, high), kind = bounds, kind_of(bounds)
    if kind is Bounds.BOTH:
        return low + (high - low) * chance
    with np.errstate(divide="ignore"):
        near, far = -np.log1p(-chance), np.log(np.maximum(chance, 1e-300))
    if kind is Bounds.LOW:
        return low + near
    return high - near if kind is Bounds.HIGH else far + near


def _choose(
    allowed: NDArray[np.bool_], chance: NDArray[np.float64], present: NDArray[np.bool_], name: str
) -> NDArray[np.int32]:
    """For each row the `floor(chance · n)`-th of its n allowed choices; `allowed` is `[row, choice]`."""
    count = allowed.sum(axis=1)
    if (present & (count == 0)).any():
        raise EnvironmentFault(
            f"agent {name!r} is to act but its action mask allows nothing; allow at least one choice"
        )
    rank = np.minimum((chance * count).astype(np.int32), count - 1)
    chosen: NDArray[np.int32] = np.argmax(np.cumsum(allowed, axis=1) > rank[:, None], axis=1).astype(np.int32)
    return chosen
