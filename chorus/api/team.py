"""One team at play, agent by agent name: what a loop over a PettingZoo or Gymnasium environment needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chorus.common.environments.adapters.team import Team as GymnasiumTeam
from chorus.common.environments.interface import AgentSpec, FloatArray
from chorus.common.environments.spaces import (
    MASK_KEY,
    ActionCoder,
    ObservationCoder,
    action_coder,
    observation_coder,
    write_mask,
)
from chorus.common.errors import EnvironmentFault

if TYPE_CHECKING:
    from chorus.api.policy import Policy


class Team:
    """Acts for the agents whose observations it is given, and keeps the recurrent state of each.

    team = policy.team(env)
    observations, infos = env.reset(seed=1)
    team.reset()
    while env.agents:
        observations, rewards, terminated, truncated, infos = env.step(team.act(observations, infos))
    """

    def __init__(self, policy: Policy, environment: Any = None) -> None:
        """A team whose recurrent states are zero; see `Policy.team`.

        Raises:
            EnvironmentFault: the environment is of another kind, or its agents or spaces are not those that the policy
                was trained for.
        """
        self._policy = policy
        spaces = environment
        self._tuples, self._alone = False, False
        if environment is not None and not hasattr(environment, "possible_agents"):
            if not hasattr(environment, "action_space"):
                raise EnvironmentFault(
                    f"policy.team: a {type(environment).__name__} is neither a PettingZoo nor a Gymnasium environment"
                )
            spaces = GymnasiumTeam(environment, policy.environment.name)
            self._tuples = isinstance(_parts(environment.action_space), (list, tuple))
            self._alone = not self._tuples
        self._agents = {
            agent.name: _Agent(number, agent, spaces) for number, agent in enumerate(policy.environment.agents)
        }
        self._state = policy.initial_state()

    def reset(self, *agents: str) -> None:
        """Reset the recurrent state of these agents, or of all: at the start of an episode or of a new life."""
        numbers = [self._known(name).number for name in agents] or list(range(len(self._agents)))
        for memory in self._state.values():
            memory[numbers] = 0.0

    def act(
        self,
        observations: Any,
        infos: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        greedy: bool = False,
    ) -> Any:
        """The actions of the agents that observe something now; the others keep their recurrent state.

        Args:
            observations: by agent name, as PettingZoo gives them; for a Gymnasium environment given to `policy.team`
                what its `reset` and `step` return: a tuple over agents, or the one agent's observation.
            infos: by agent name; `action_mask` is taken from here or from the observation, where there is one. For a
                Gymnasium environment its own `info`.
            masks: by agent name, bool `[choice]`, components one after the other; instead of those.
            greedy: take the most likely action instead of a sample.

        Returns:
            The actions in the same form: by agent name, a tuple, or one action. An action is as the environment's space
            has it; without an environment an int, an int array `[component]` or a float32 array `[component]`.

        Raises:
            ValueError: an observation or a mask does not fit its agent, or an agent is unknown.
        """
        seen = self._by_name(observations)
        found = dict(masks or {})
        for name, mask in self._masks(seen, infos).items():
            found.setdefault(name, mask)
        spec = self._policy.environment
        rows = np.zeros((len(self._agents), spec.observation_size), np.float32)
        present = np.zeros(len(self._agents), np.bool_)
        allowed = None if not found else np.ones((len(self._agents), spec.choice_size), np.bool_)
        for name, observation in seen.items():
            agent = self._known(name)
            present[agent.number] = True
            agent.write(observation, rows[agent.number])
            if allowed is not None and found.get(name) is not None:
                agent.write_mask(found[name], allowed[agent.number])
        actions, self._state = self._policy.act(rows, self._state, allowed, greedy, present)
        chosen = {name: self._agents[name].read(actions[self._agents[name].number]) for name in seen}
        if self._tuples:
            return tuple(chosen.values())
        return chosen[self._only] if self._alone else chosen

    @property
    def _only(self) -> str:
        return next(iter(self._agents))

    def _by_name(self, observations: Any) -> dict[str, Any]:
        if self._alone:
            return {self._only: observations}
        if self._tuples:
            if len(observations) != len(self._agents):
                raise ValueError(f"observations of {len(observations)} agents; the policy has {len(self._agents)}")
            return dict(zip(self._agents, observations, strict=True))
        if not isinstance(observations, Mapping):
            raise ValueError(
                f"observations are a {type(observations).__name__}; give a mapping from agent name to observation, or"
                " name the Gymnasium environment: policy.team(env)"
            )
        return dict(observations)

    def _masks(self, seen: Mapping[str, Any], infos: Mapping[str, Any] | None) -> dict[str, Any]:
        """The action masks that observations and infos bring, by agent name."""
        found: dict[str, Any] = {}
        infos = infos or {}
        if (self._tuples or self._alone) and infos.get(MASK_KEY) is not None:
            of_all = infos[MASK_KEY]
            found |= zip(self._agents, [of_all] if self._alone else of_all, strict=True)
        for name, observation in seen.items():
            for holder in (infos.get(name), observation):
                if isinstance(holder, Mapping) and holder.get(MASK_KEY) is not None:
                    found[name] = holder[MASK_KEY]
        return found

    def _known(self, name: str) -> _Agent:
        if name not in self._agents:
            raise ValueError(f"there is no agent {name!r}; the policy was trained for {', '.join(self._agents)}")
        return self._agents[name]


class _Agent:
    """How one agent's observations and actions are read and written."""

    def __init__(self, number: int, spec: AgentSpec, spaces: Any) -> None:
        self.number = number
        self._spec = spec
        self._observation: ObservationCoder | None = None
        self._action: ActionCoder | None = None
        if spaces is None:
            return
        if spec.name not in spaces.possible_agents:
            raise EnvironmentFault(
                f"policy.team: the environment has no agent {spec.name!r}, for whom the policy was trained; it has"
                f" {', '.join(map(str, spaces.possible_agents))}"
            )
        self._observation = observation_coder(spaces.observation_space(spec.name), spec.name)
        self._action = action_coder(spaces.action_space(spec.name), spec.name)
        here = (self._observation.shape, self._action.choices, self._action.bounds)
        trained = (spec.observation_shape, spec.choices, spec.bounds)
        for what, ours, theirs in zip(("observation shape", "choices", "bounds"), trained, here, strict=True):
            if ours != theirs:
                raise EnvironmentFault(
                    f"policy.team: {spec.name}'s {what} is {theirs} in this environment, but the policy was trained"
                    f" with {ours}; make the environment with the settings of the run"
                )

    def write(self, observation: Any, row: FloatArray) -> None:
        """Fill the agent's part of a float32 `[observation]`."""
        size = self._spec.observation_size
        if self._observation is not None:
            try:
                self._observation.write(observation, row[:size])
            except EnvironmentFault as fault:
                raise ValueError(str(fault)) from fault
            return
        if isinstance(observation, Mapping):
            observation = observation.get("observation", observation)
        array = np.asarray(observation)
        if array.dtype == np.uint8 or array.dtype.kind not in "fiub" or array.size != size:
            raise ValueError(
                f"{self._spec.name}: an observation of type {array.dtype} and shape {list(array.shape)}; give"
                f" {size} numbers (the policy's shape is {list(self._spec.observation_shape)}), or name the"
                " environment, whose spaces say how observations become numbers: policy.team(env)"
            )
        row[:size] = array.reshape(-1)

    def write_mask(self, mask: Any, row: Any) -> None:
        """Fill the agent's part of a bool `[choice]`."""
        try:
            write_mask(mask, row[: sum(self._spec.choices)], self._spec.name)
        except EnvironmentFault as fault:
            raise ValueError(str(fault)) from fault

    def read(self, row: Any) -> Any:
        """The action that a row of components stands for."""
        own = row[: self._spec.action_size]
        if self._action is not None:
            return self._action.read(own if self._spec.bounds else [int(choice) for choice in own])
        if self._spec.choices and len(own) == 1:
            return int(own[0])
        return own.copy()


def _parts(space: Any) -> Any:
    """The parts of a space over agents; None if it is not one."""
    return space if isinstance(space, (list, tuple)) else getattr(space, "spaces", None)
