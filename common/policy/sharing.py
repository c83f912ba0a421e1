"""Who shares a policy with whom: the agents of an environment, divided among policies.

Agents of one policy see and do alike things (same observation shape, same actions). Parameter sharing as in QMIX
(Rashid et al. 2018): one network, with a one-hot agent id appended to the observation where agents should specialise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec, FloatArray, ObservationArray, as_seen
from chorus.common.errors import ConfigError
from chorus.common.policy.trunk import Seen, is_set
from chorus.common.settings.sections import NetworkConfig, SharingConfig


@dataclass(frozen=True)
class PolicySpec:
    """One policy and who acts by it.

    Attributes:
        name: of the policy; prefix of its tensors.
        agents: positions of its agents on the environment's agent axis.
        agent: what each of them sees and does.
        identified: whether a one-hot agent id follows the observation in the network's input.
        team_observations: lengths of the observations of all agents of the environment together, and
        team_agents: how many they are: the width of what a value that sees the team is shown.
        network: how its network is built.
    """

    name: str
    agents: tuple[int, ...]
    agent: AgentSpec
    identified: bool = False
    network: NetworkConfig = field(default_factory=NetworkConfig)
    team_observations: int = 0
    team_agents: int = 0

    @property
    def seen(self) -> Seen:
        """What the network reads."""
        return Seen(self.agent.observation_shape, len(self.agents) if self.identified else 0)

    @property
    def input_size(self) -> int:
        """Width of the network's input."""
        return self.seen.size

    @property
    def team_input_size(self) -> int:
        """Width of the input of a value that sees the team (`learner/gradient/team_view.py`)."""
        return self.team_observations + self.team_agents + len(self.agents)

    @property
    def output_size(self) -> int:
        """Width of the network's output: a logit per choice of each component, or a mean per continuous component."""
        return sum(self.agent.choices) or len(self.agent.bounds)

    def inputs(self, observations: ObservationArray) -> FloatArray:
        """The network's input rows for this policy.

        Args:
            observations: float32, or uint8, `[..., agent, observation]` over all agents of the environment.

        Returns:
            float32 `[..., agent of this policy, input]`; a view where nothing has to be left out or added.
        """
        seen = as_seen(self.observed(observations))
        if not self.identified:
            return seen
        identity = np.broadcast_to(np.eye(len(self.agents), dtype=np.float32), (*seen.shape[:-1], len(self.agents)))
        return np.concatenate([seen, identity], axis=-1)

    def observed(self, observations: ObservationArray) -> ObservationArray:
        """`[..., agent of this policy, observation]` of observations `[..., agent, observation]` over all agents, as
        they are; a view where nothing has to be left out."""
        size = self.agent.observation_size
        if self.agents != tuple(range(observations.shape[-2])):
            observations = observations[..., list(self.agents), :]
        if size != observations.shape[-1]:
            observations = observations[..., :size]
        return observations


def divide(environment: EnvironmentSpec, sharing: SharingConfig, network: NetworkConfig) -> tuple[PolicySpec, ...]:
    """The policies of a run, every agent in exactly one.

    Raises:
        ConfigError: agents of one policy differ in what they see or do, a pattern matches nobody, an agent is matched
            by none, or nobody sees what the network is built for.
    """
    if network.attention and not any(is_set(agent.observation_shape, network) for agent in environment.agents):
        shapes = sorted({str(list(agent.observation_shape)) for agent in environment.agents})
        raise ConfigError(
            f"network.attention is {network.attention}, but reads observations of shape [entities, features], and those"
            f" of {environment.name} are {', '.join(shapes)}; set it to 0"
        )
    return tuple(
        _policy(name, environment, members, sharing.mode == "all_with_id", network)
        for name, members in _members(environment, sharing).items()
    )


def _members(environment: EnvironmentSpec, sharing: SharingConfig) -> dict[str, tuple[int, ...]]:
    agents = environment.agents
    if sharing.mode == "auto":
        return _kinds(environment)
    if sharing.mode == "none":
        return {agent.name: (number,) for number, agent in enumerate(agents)}
    if sharing.mode != "groups":
        return {"all": tuple(range(len(agents)))}
    members: dict[str, list[int]] = {name: [] for name in sharing.groups}
    for number, agent in enumerate(agents):
        group = next((name for name, pattern in sharing.groups.items() if fnmatchcase(agent.name, pattern)), None)
        if group is None:
            raise ConfigError(f"sharing.groups: no pattern matches agent {agent.name!r}; add one, for example {'*'!r}")
        members[group].append(number)
    for name, numbers in members.items():
        if not numbers:
            known = ", ".join(agent.name for agent in agents)
            raise ConfigError(f"sharing.groups.{name}: {sharing.groups[name]!r} matches none of {known}")
    return {name: tuple(numbers) for name, numbers in members.items()}


def _kinds(environment: EnvironmentSpec) -> dict[str, tuple[int, ...]]:
    """The agents of each kind, kinds being told apart by what agents see and do; named by what the names of their
    agents begin with, or by the first of them."""
    members: dict[tuple[object, ...], list[int]] = {}
    for number, agent in enumerate(environment.agents):
        members.setdefault((agent.observation_shape, agent.choices, agent.bounds), []).append(number)
    if len(members) == 1:
        return {"all": tuple(range(len(environment.agents)))}
    found: dict[str, tuple[int, ...]] = {}
    for numbers in members.values():
        names = [environment.agents[number].name for number in numbers]
        shared = _common_start(names).rstrip("0123456789_-")
        name = re.sub(r"[^A-Za-z0-9_-]", "_", shared)
        taken = not name or name in found
        found[re.sub(r"[^A-Za-z0-9_-]", "_", names[0]) if taken else name] = tuple(numbers)
    return found


def _common_start(names: list[str]) -> str:
    """The letters that all names begin with."""
    length = next((place for place, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), None)
    return min(names, key=len)[:length]


def _policy(
    name: str, environment: EnvironmentSpec, agents: tuple[int, ...], identified: bool, network: NetworkConfig
) -> PolicySpec:
    first = environment.agents[agents[0]]
    for number in agents[1:]:
        other = environment.agents[number]
        for what in ("observation_shape", "choices", "bounds"):
            if getattr(other, what) != getattr(first, what):
                raise ConfigError(
                    f"{first.name} and {other.name} cannot share policy {name!r}: their {what} are"
                    f" {getattr(first, what)} and {getattr(other, what)}; set sharing.mode to auto, to groups"
                    " with patterns of agent names, or to none"
                )
    everybody = sum(agent.observation_size for agent in environment.agents)
    return PolicySpec(name, agents, first, identified, network, everybody, len(environment.agents))
