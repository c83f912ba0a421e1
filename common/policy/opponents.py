"""Opponents: in some tasks the agents of one side act otherwise than by the newest version of their policy.

By an older version, which is fictitious self-play with a window of past versions (Heinrich & Silver 2015; Bansal et al.
2018): the side that learns must do well against all of them, not only against its opponents' newest version. By the
policy of another run, which stays as it is. Or by a program. Which side of a task plays with what is drawn from a
random stream of the task. So it follows from the configuration and the task's name alone, in the actor, in the learner
and in a replay, and no message has to carry it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.settings.config import Config
from chorus.common.tasks.seeding import Draw, stream
from chorus.common.tasks.task import Purpose, Task, version_for

FROZEN = 1 << 31
"""Versions from this number on are the frozen policies of other runs, in the order of their folders' names."""
_FROZEN, _SCRIPTED = "frozen:", "scripted:"


@dataclass(frozen=True)
class Seat:
    """Some agents of a policy, and what they act by in a task.

    Attributes:
        spec: the policy, with no agents but these.
        version: of its weights.
        script: the program that acts in the weights' place, `module:factory`; empty for none.
    """

    spec: PolicySpec
    version: int
    script: str = ""


@dataclass(frozen=True)
class _Side:
    """The agents of one pattern, and how they may act."""

    agents: frozenset[int]
    kind: str


@dataclass(frozen=True)
class _Draw:
    """The agents that act otherwise: by the weights of a version, or by a script."""

    agents: frozenset[int]
    version: int = 0
    script: str = ""


class Opponents:
    """The opponents of every task of a run."""

    def __init__(self, config: Config, environment: EnvironmentSpec, policies: tuple[PolicySpec, ...]) -> None:
        """Find the agents of every pattern of `opponents`.

        Raises:
            ConfigError: a pattern matches nobody or everybody, or divides a policy that sees agent ids.
        """
        self._config = config
        self._policies = policies
        self._sides = [
            _Side(_agents(pattern, environment, policies), kind) for pattern, kind in config.opponents.items()
        ]
        self._frozen = frozen_policies(config, environment)
        for pattern, kind in config.opponents.items():
            if kind.startswith(_FROZEN):
                _agents(pattern, environment, self._frozen[_number(config, kind)])

    def seats(self, task: Task) -> tuple[Seat, ...]:
        """Which agents act by what in a task; every agent of the environment is in exactly one seat."""
        own, drawn = version_for(task.update, self._config.lag), self._drawn(task)
        if drawn is None:
            return tuple(Seat(spec, own) for spec in self._policies)
        seats = [Seat(spec, own) for spec in _only(self._policies, drawn.agents, among=False)]
        theirs = self._frozen.get(drawn.version, self._policies)
        return (*seats, *(Seat(spec, drawn.version, drawn.script) for spec in _only(theirs, drawn.agents, among=True)))

    def past(self, task: Task) -> tuple[int, ...]:
        """The versions that a task needs besides its own."""
        drawn = self._drawn(task)
        return () if drawn is None or drawn.script else (drawn.version,)

    def learners(self, task: Task) -> list[int] | None:
        """The agents that a task is learned from; None for all of them."""
        drawn = self._drawn(task)
        if drawn is None:
            return None
        return [agent for spec in self._policies for agent in spec.agents if agent not in drawn.agents]

    def _drawn(self, task: Task) -> _Draw | None:
        """The side that acts otherwise; None if all agents act with the task's own version, as in evaluations."""
        if not self._sides or task.purpose is Purpose.EVALUATION:
            return None
        draws = stream(self._config.seed, Draw.OPPONENT, task.update, task.index)
        if draws.random() >= self._config.self_play.share:
            return None
        side = self._sides[int(draws.integers(len(self._sides)))]
        if side.kind.startswith(_SCRIPTED):
            return _Draw(side.agents, script=side.kind.removeprefix(_SCRIPTED))
        if side.kind.startswith(_FROZEN):
            return _Draw(side.agents, _number(self._config, side.kind))
        versions = archived(self._config, version_for(task.update, self._config.lag))
        if not versions:
            return None
        return _Draw(side.agents, versions[int(draws.integers(len(versions)))])


def archived(config: Config, version: int) -> range:
    """The versions that opponents of tasks of a version are drawn from: every so many, the last so many before it."""
    if "past" not in config.opponents.values():
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


def newest_of(versions: Iterable[int]) -> int:
    """The newest of a run's own versions; 0 where there are only frozen policies of others."""
    return max((version for version in versions if version < FROZEN), default=0)


def frozen_runs(config: Config) -> list[str]:
    """The folders of the runs whose policies play for opponents, in the order of their versions."""
    kinds = config.opponents.values()
    return sorted({kind.removeprefix(_FROZEN) for kind in kinds if kind.startswith(_FROZEN)})


def scripts(config: Config) -> list[str]:
    """The programs that play for opponents, `module:factory`."""
    kinds = config.opponents.values()
    return sorted({kind.removeprefix(_SCRIPTED) for kind in kinds if kind.startswith(_SCRIPTED)})


def frozen_policies(config: Config, environment: EnvironmentSpec) -> dict[int, tuple[PolicySpec, ...]]:
    """The policies of every frozen opponent, by its version; of a configuration that says what each of them is.

    Raises:
        ConfigError: it does not say so, or they cannot be those of this environment.
    """
    found = {}
    for place, run in enumerate(frozen_runs(config)):
        if run not in config.frozen:
            raise ConfigError(f"opponents: frozen:{run} is not resolved: `frozen` does not say what it is")
        known = config.frozen[run]
        found[FROZEN + place] = divide(environment, known.sharing, known.network)
    return found


def frozen_digests(config: Config) -> dict[int, str]:
    """The SHA-256 of the weights of every frozen opponent, by its version."""
    return {FROZEN + place: config.frozen[run].sha256 for place, run in enumerate(frozen_runs(config))}


def _number(config: Config, kind: str) -> int:
    return FROZEN + frozen_runs(config).index(kind.removeprefix(_FROZEN))


def _only(policies: Iterable[PolicySpec], chosen: frozenset[int], among: bool) -> list[PolicySpec]:
    """The policies with those of their agents alone that are, or are not, among the chosen ones."""
    found = []
    for spec in policies:
        agents = tuple(agent for agent in spec.agents if (agent in chosen) is among)
        if agents:
            found.append(spec if agents == spec.agents else replace(spec, agents=agents))
    return found


def _agents(pattern: str, environment: EnvironmentSpec, policies: tuple[PolicySpec, ...]) -> frozenset[int]:
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
