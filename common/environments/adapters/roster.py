"""Who plays in a single environment: its agents, what they see and do, and their numbers by name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from chorus.common.environments.interface import AgentSpec
from chorus.common.environments.spaces import ActionCoder, ObservationCoder, action_coder, observation_coder
from chorus.common.errors import EnvironmentFault


@dataclass(frozen=True)
class Member:
    """One agent and how to speak to it.

    Attributes:
        name: as the environment has it: anything that can be a key.
        spec: what Chorus knows of it; its name there is `str(name)`.
        who: begins every complaint about it.
    """

    name: Hashable
    spec: AgentSpec
    who: str
    observation: ObservationCoder
    action: ActionCoder

    def reader(self, action_size: int) -> Callable[[Any], Any]:
        """What makes an action of a row of `action_size` components, some of which may be padding."""
        read, size = self.action.read, self.spec.action_size
        if size == action_size or (size == 1 and self.spec.choices):
            return read
        return lambda row: read(row[:size])


class Numbers(dict[Hashable, int]):
    """Number of each agent, by its own name."""

    def __init__(self, environment: str, numbers: Mapping[Any, int]) -> None:
        super().__init__(numbers)
        self._environment = environment

    def __missing__(self, name: Hashable) -> NoReturn:
        raise EnvironmentFault(
            f"environment {self._environment!r}: agent {name!r} appeared, which is not among possible_agents "
            f"({', '.join(map(repr, self))}); list there every agent that can ever appear"
        )


def meet(single: Any, environment: str) -> tuple[Member, ...]:
    """All the agents of a single environment.

    Raises:
        EnvironmentFault: there are none, two have one name, or their spaces cannot be taken.
    """
    members = []
    for name in _names(single, environment):
        who = f"environment {environment!r}, agent {name!r}"
        seen = observation_coder(single.observation_space(name), who)
        done = action_coder(single.action_space(name), who)
        members.append(
            Member(name, AgentSpec(str(name), seen.shape, done.choices, done.bounds, seen.raw), who, seen, done)
        )
    discrete = [member.name for member in members if member.spec.choices]
    continuous = [member.name for member in members if member.spec.bounds]
    if discrete and continuous:
        raise EnvironmentFault(
            f"environment {environment!r}: agent {discrete[0]!r} acts discretely and {continuous[0]!r} continuously; "
            "wrap it so that all agents act in one of the two ways"
        )
    return tuple(members)


def _names(single: Any, environment: str) -> list[Hashable]:
    given = getattr(single, "possible_agents", None)
    names: list[Hashable] = list(given) if given is not None else []
    if not names:
        raise EnvironmentFault(
            f"environment {environment!r}: it has no possible_agents; list there every agent that can ever appear"
        )
    known: dict[str, Hashable] = {}
    for name in names:
        if not isinstance(name, Hashable):
            raise EnvironmentFault(
                f"environment {environment!r}: agent {name!r} in possible_agents cannot be a dictionary's key; name "
                "agents by strings or numbers"
            )
        if str(name) in known:
            raise EnvironmentFault(
                f"environment {environment!r}: possible_agents holds {known[str(name)]!r} and {name!r}, which are one "
                "name; give every agent a name of its own"
            )
        known[str(name)] = name
    return names
