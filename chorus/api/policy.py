"""A trained policy, ready to act: `chorus.load("runs/x")`. In NumPy, by the actor's own code; needs no torch."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from chorus.actor.inference import Inference
from chorus.actor.sampling import sample, sample_gaussian, squash
from chorus.common.environments.interface import ActionArray, BoolArray, EnvironmentSpec, FloatArray, as_seen
from chorus.common.errors import EnvironmentFault
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import environment_spec, newest_policy

if TYPE_CHECKING:
    from chorus.api.team import Team

State = dict[str, FloatArray]
"""The recurrent state of every agent by name: `hidden` and `cell` of an LSTM, each float32 `[agent, unit]` for one team
or `[team, agent, unit]` for many. A GRU has `hidden` alone, further layers have `hidden1` and so on, a network of your
own has `state`; a policy without memory has nothing."""


def load(run: str | os.PathLike[str], *, seed: int | None = None) -> Policy:
    """The newest policy of a run: the final one, or the one of its newest checkpoint if the run is not finished.

    Args:
        run: the run folder. Neither torch nor the environment's package is needed to read it.
        seed: of the sampled actions; None for a different one at every call.

    Raises:
        RunFolderError: the folder holds no run, or no weights yet.
    """
    folder = Path(run)
    config = read_config(folder)
    environment = environment_spec(folder)
    return Policy(environment, divide(environment, config.sharing, config.network), newest_policy(folder), seed)


class Policy:
    """All policies of a run together: they act for whole teams. Not to be shared between threads.

    Attributes:
        environment: observations and actions of every agent, in the order of the agent axis.
        policies: which agents act with which policy.
        version: the policy version: the number of updates that made the weights.
    """

    def __init__(
        self,
        environment: EnvironmentSpec,
        policies: tuple[PolicySpec, ...],
        version: PolicyVersion,
        seed: int | None = None,
    ) -> None:
        """The policies of an environment's agents, with the weights of a version."""
        self.environment = environment
        self.policies = policies
        self.version = version.version
        self._tensors = version.tensors()
        self._draws = np.random.default_rng(seed)
        self._inferences: dict[str, tuple[int, Inference]] = {}

    def __repr__(self) -> str:
        names = ", ".join(spec.name for spec in self.policies)
        return f"<chorus.Policy of {self.environment.name}, version {self.version}: {names}>"

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of all agents, in the order of the agent axis."""
        return tuple(agent.name for agent in self.environment.agents)

    def initial_state(self, teams: int | None = None) -> State:
        """Recurrent states of zero: of one team, or of `teams` teams along a first axis."""
        state: State = {}
        for spec in self.policies:
            for name, rows in self._inference(spec, len(spec.agents)).memories().items():
                shape = (*(() if teams is None else (teams,)), len(self.agents), rows.shape[1])
                state.setdefault(name, np.zeros(shape, np.float32))
        return state

    def act(
        self,
        observations: ArrayLike,
        state: State,
        masks: ArrayLike | None = None,
        greedy: bool = False,
        present: ArrayLike | None = None,
    ) -> tuple[ActionArray, State]:
        """One step of one team, or of many teams at once.

        Args:
            observations: float32 `[agent, observation]`, or `[team, agent, observation]`: flattened, and padded with
                zeros to the longest where agents have different observations. Bytes are uint8, or float32 already
                divided by 255.
            state: what the previous call returned; `initial_state()` at the start of an episode. It is not changed.
            masks: bool `[..., agent, choice]`, True where allowed, components one after the other; None allows all.
            greedy: take the most likely action (the mean of a continuous one) instead of a sample.
            present: bool `[..., agent]`, which agents act; None for all. The state of the others stays as it is, and
                their actions are zeros.

        Returns:
            actions: int32 `[..., agent, component]`, numbered from 0, or float32 within their bounds, as
            `Environment.step` takes them; and the state for the next call.

        Raises:
            ValueError: an array has the wrong shape, an observation is not finite, or a mask allows nothing.
        """
        spec, given = self.environment, np.asarray(observations)
        seen = as_seen(given) if given.dtype == spec.observation_dtype else given.astype(np.float32)
        shape = (len(spec.agents), spec.observation_size)
        if seen.ndim not in (2, 3) or seen.shape[-2:] != shape:
            raise ValueError(
                f"observations have the shape {list(seen.shape)}; give [{shape[0]}, {shape[1]}] for one team, or"
                f" [teams, {shape[0]}, {shape[1]}]; the agents are {', '.join(self.agents)}"
            )
        lead = seen.shape[:-1]
        acting = np.ones(lead, np.bool_) if present is None else _fitting(present, lead, "present")
        allowed = None if masks is None else _fitting(masks, (*lead, spec.choice_size), "masks")
        if not np.isfinite(seen[acting]).all():
            raise ValueError("an observation is not finite: it contains a NaN or an infinity")
        teams = seen.reshape(-1, *shape)
        dtype: Any = np.int32 if spec.discrete else np.float32
        actions = np.zeros((*teams.shape[:2], spec.action_size), dtype)
        following = {name: _of_teams(name, rows, lead).copy() for name, rows in state.items()}
        missing = self.initial_state().keys() ^ state.keys()
        if missing:
            raise ValueError(f"state: {', '.join(sorted(missing))}: begin with policy.initial_state()")
        for part in self.policies:
            self._act(
                part,
                teams,
                following,
                None if allowed is None else allowed.reshape(*teams.shape[:2], -1),
                acting.reshape(teams.shape[:2]),
                greedy,
                actions,
            )
        state_after = {name: rows.reshape(*lead, rows.shape[-1]) for name, rows in following.items()}
        return actions.reshape(*lead, spec.action_size), state_after

    def team(self, environment: Any = None) -> Team:
        """One team that keeps each agent's recurrent state by agent name; for PettingZoo's and Gymnasium's loops.

        Args:
            environment: the one that it will play: a PettingZoo environment (parallel or AEC) or a Gymnasium one, whose
                spaces define how observations are flattened and what actions look like. None where observations are
                float arrays.
        """
        from chorus.api.team import Team

        return Team(self, environment)

    def _act(
        self,
        part: PolicySpec,
        observations: FloatArray,
        state: State,
        masks: BoolArray | None,
        present: BoolArray,
        greedy: bool,
        actions: ActionArray,
    ) -> None:
        """Fill in one policy's part of `actions` and of `state`, for the agents that are present."""
        agents = list(part.agents)
        count = len(observations) * len(agents)
        rows = np.flatnonzero(present[:, agents].reshape(count))
        if not rows.size:
            return
        inference = self._inference(part, count)
        inference.remember({name: memory[:, agents].reshape(count, -1) for name, memory in state.items()})
        inputs = part.inputs(observations).reshape(count, part.input_size)[rows]
        outputs = inference.step(inputs, None if len(rows) == count else rows)
        shape = (len(rows), part.agent.action_size)
        if part.agent.choices:
            mask = None if masks is None else masks[:, agents, : part.output_size].reshape(count, -1)[rows]
            draws = self._draws.random(shape, np.float32)
            try:
                chosen: Any = sample(outputs, part.agent.choices, draws, mask, greedy)[0]
            except EnvironmentFault as fault:
                name = self.agents[agents[int(rows[fault.args[1]]) % len(agents)]]
                raise ValueError(f"masks: that of {name} allows nothing; at least one choice must be True") from fault
        else:
            noise = self._draws.standard_normal(shape, np.float32)
            log_std = inference.log_std
            if log_std is None:
                raise EnvironmentFault(f"policy {part.name} has no log_std, though its actions are continuous")
            chosen = squash(sample_gaussian(outputs, log_std, part.agent.bounds, noise, greedy)[0], part.agent.bounds)
        team, agent = rows // len(agents), np.asarray(agents)[rows % len(agents)]
        actions[team, agent, : shape[1]] = chosen
        for name, memory in inference.memories().items():
            state[name][team, agent] = memory[rows]

    def _inference(self, part: PolicySpec, rows: int) -> Inference:
        """The network of a policy for so many rows; that for the last number asked for is kept."""
        kept = self._inferences.get(part.name)
        if kept is None or kept[0] != rows:
            kept = self._inferences[part.name] = (rows, Inference(self._tensors, part, rows))
        return kept[1]


def _fitting(values: ArrayLike, shape: tuple[int, ...], name: str) -> BoolArray:
    array = np.asarray(values).astype(np.bool_)
    if array.shape != shape:
        raise ValueError(f"{name} have the shape {list(array.shape)}; give {list(shape)}")
    return array


def _of_teams(name: str, rows: FloatArray, lead: tuple[int, ...]) -> FloatArray:
    """A memory as `[team, agent, unit]`."""
    if rows.shape[:-1] != lead:
        raise ValueError(
            f"state[{name!r}] has the shape {list(rows.shape)}, but the observations are of {list(lead)};"
            " begin with policy.initial_state(teams) of as many teams"
        )
    # The number is given: none can be inferred for the empty state of a network that has none.
    return np.asarray(rows, np.float32).reshape(prod(lead[:-1]), *rows.shape[-2:])
