"""Opponents: in some tasks the agents of one side act with an older version of their policy.

Fictitious self-play with a window of past versions (Heinrich & Silver 2015; Bansal et al. 2018): the side
that learns must do well against all of them, not only against its opponents' newest version. Which side of a task plays
with which version is drawn from a random stream of the task. So it follows from the configuration and the task's name
alone, in the actor, in the learner and in a replay, and no message has to carry it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.common.tasks.seeding import Draw, stream
from chorus.common.tasks.task import Purpose, Task, version_for


@dataclass(frozen=True)
class Seat:
    """Some agents of a policy, and the version that they act with in a task."""

    spec: PolicySpec
    version: int


@dataclass(frozen=True)
class _Draw:
    """The agents that act with a past version, and that version."""

    agents: frozenset[int]
    version: int


class Opponents:
    """The opponents of every task of a run."""

    def __init__(self, config: Config, environment: EnvironmentSpec, policies: tuple[PolicySpec, ...]) -> None:
        """Find the agents of every pattern of `opponents`.

        Raises:
            ConfigError: a pattern matches nobody or everybody, or divides a policy that sees agent ids.
        """
        self._config = config
        self._policies = policies
        self._sides = [_side(pattern, environment, policies) for pattern in config.opponents]

    def seats(self, task: Task) -> tuple[Seat, ...]:
        """Which agents act with which version in a task; every agent of the environment is in exactly one seat."""
        own, drawn = version_for(task.update, self._config.lag), self._drawn(task)
        if drawn is None:
            return tuple(Seat(spec, own) for spec in self._policies)
        seats = []
        for spec in self._policies:
            learners, others = (
                tuple(agent for agent in spec.agents if (agent in drawn.agents) is past) for past in (False, True)
            )
            if learners:
                seats.append(Seat(replace(spec, agents=learners) if others else spec, own))
            if others:
                seats.append(Seat(replace(spec, agents=others) if learners else spec, drawn.version))
        return tuple(seats)

    def past(self, task: Task) -> tuple[int, ...]:
        """The versions that a task needs besides its own."""
        drawn = self._drawn(task)
        return () if drawn is None else (drawn.version,)

    def learners(self, task: Task) -> list[int] | None:
        """The agents that a task is learned from; None for all of them."""
        drawn = self._drawn(task)
        if drawn is None:
            return None
        return [agent for spec in self._policies for agent in spec.agents if agent not in drawn.agents]

    def _drawn(self, task: Task) -> _Draw | None:
        """The side that acts with a past version; None if all agents act with the task's own, as in evaluations."""
        versions = archived(self._config, version_for(task.update, self._config.lag))
        if not self._sides or not versions or task.purpose is Purpose.EVALUATION:
            return None
        draws = stream(self._config.seed, Draw.OPPONENT, task.update, task.index)
        if draws.random() >= self._config.self_play.share:
            return None
        side = self._sides[int(draws.integers(len(self._sides)))]
        return _Draw(side, versions[int(draws.integers(len(versions)))])


def archived(config: Config, version: int) -> range:
    """The versions that opponents of tasks of a version are drawn from: every so many, the last so many before it."""
    if not config.opponents:
        return range(0)
    every = config.self_play.every
    count = -(-version // every)  # 0, every, 2 every, ... below the version
    return range(max(0, count - config.self_play.keep) * every, version, every)


def needed(config: Config, newest: int, version: int) -> bool:
    """Whether a version may still be asked for once `newest` is there: for its own tasks, or as an opponent."""
    oldest = newest - config.lag
    if version >= oldest:
        return True
    drawn_from = archived(config, max(0, oldest))
    return bool(drawn_from) and version >= drawn_from[0] and version % config.self_play.every == 0


def _side(pattern: str, environment: EnvironmentSpec, policies: tuple[PolicySpec, ...]) -> frozenset[int]:
    names = [agent.name for agent in environment.agents]
    side = frozenset(number for number, name in enumerate(names) if fnmatchcase(name, pattern))
    if not side or len(side) == len(names):
        whom = "nobody" if not side else "everybody, and nobody is left to learn"
        raise ConfigError(f"opponents: {pattern!r} matches {whom}; the agents are {', '.join(names)}")
    for spec in policies:
        if spec.identified and side & set(spec.agents) and not side >= set(spec.agents):
            raise ConfigError(
                f"opponents: {pattern!r} divides policy {spec.name!r}, which tells its agents apart by ids; give a"
                " pattern that matches all of its agents or none, or set sharing.mode to all"
            )
    return side
