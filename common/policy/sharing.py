"""Who shares a policy with whom: the agents of an environment, divided among policies.

Agents of one policy see and do alike things (same observation shape, same actions). Parameter sharing as in QMIX
(Rashid et al. 2018): one network, with a one-hot agent id appended to the observation where agents should specialise.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec, FloatArray, ObservationArray, as_seen
from chorus.common.errors import ConfigError
from chorus.common.settings.config import SharingConfig


@dataclass(frozen=True)
class PolicySpec:
    """One policy and who acts by it.

    Attributes:
        name: of the policy; prefix of its tensors.
        agents: positions of its agents on the environment's agent axis.
        agent: what each of them sees and does.
        identified: whether a one-hot agent id follows the observation in the network's input.
    """

    name: str
    agents: tuple[int, ...]
    agent: AgentSpec
    identified: bool = False

    @property
    def input_size(self) -> int:
        """Width of the network's input."""
        return self.agent.observation_size + (len(self.agents) if self.identified else 0)

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
        size = self.agent.observation_size
        if self.agents != tuple(range(observations.shape[-2])):
            observations = observations[..., list(self.agents), :]
        if size != observations.shape[-1]:
            observations = observations[..., :size]
        seen = as_seen(observations)
        if not self.identified:
            return seen
        identity = np.broadcast_to(np.eye(len(self.agents), dtype=np.float32), (*seen.shape[:-1], len(self.agents)))
        return np.concatenate([seen, identity], axis=-1)


def divide(environment: EnvironmentSpec, sharing: SharingConfig) -> tuple[PolicySpec, ...]:
    """The policies of a run, every agent in exactly one.

    Raises:
        ConfigError: agents of one policy differ in what they see or do, a pattern matches nobody, or an agent is
            matched by none.
    """
    agents = environment.agents
    if sharing.mode == "none":
        return tuple(_policy(agent.name, environment, (number,)) for number, agent in enumerate(agents))
    if sharing.mode != "groups":
        everybody = tuple(range(len(agents)))
        return (_policy("all", environment, everybody, identified=sharing.mode == "all_with_id"),)
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
    return tuple(_policy(name, environment, tuple(numbers)) for name, numbers in members.items())


def _policy(name: str, environment: EnvironmentSpec, agents: tuple[int, ...], identified: bool = False) -> PolicySpec:
    first = environment.agents[agents[0]]
    for number in agents[1:]:
        other = environment.agents[number]
        for what in ("observation_shape", "choices", "bounds"):
            if getattr(other, what) != getattr(first, what):
                raise ConfigError(
                    f"{first.name} and {other.name} cannot share policy {name!r}: their {what} are"
                    f" {getattr(first, what)} and {getattr(other, what)}; set sharing.mode to groups, with patterns of"
                    " agent names, or to none"
                )
    return PolicySpec(name, agents, first, identified)
