"""What the tests play with: teams that follow a script, weights, tasks, settings, and the gradients of all that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from chorus.actor.rollout import Player
from chorus.common.environments.interface import (
    ActionArray,
    AgentSpec,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    IntArray,
    Outcome,
)
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion, Tensors, make
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import reduction
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.network import Network, initialise
from chorus.learner.gradient.running_statistics import Statistics

GARBAGE = 777.0
"""What a scripted environment writes where, by its contract, nobody may look."""


CLASSICAL: dict[str, Any] = {
    "update": {"passes": 1},
    "loss": {"baseline": "leave_one_out"},
    "value": {"network": "head", "sees": "own"},
    "reward": {"scale": "none"},
    "network": {"encoder": 6, "lstm": 5, "layer_norm": False},
    "optimiser": {"learning_rate": 2e-3},
}
"""Averaged REINFORCE with leave-one-out, once over each batch, by narrow networks: what is simplest to compute a second
time by hand."""


def merged(base: dict[str, Any], sections: dict[str, Any]) -> dict[str, Any]:
    """Settings over others, section by section."""
    both = base | sections
    return {
        name: base[name] | value if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in both.items()
    }


def settings(**sections: Any) -> Config:
    """A configuration: the classical one, but for what is given, and for what a network of one's own replaces."""
    base = CLASSICAL | {"network": {"lstm": 5}} if "module" in sections.get("network", {}) else CLASSICAL
    return configuration.check(merged(base, sections))


def training_task(update: int = 0, index: int = 0) -> Task:
    """A task of a batch."""
    return Task(update, Purpose.TRAINING, index)


def tensors_for(policies: Sequence[PolicySpec], config: Config, seed: int = 0, scale: float = 3.0) -> Tensors:
    """Fresh weights, larger than a run's first so that policies are far from uniform."""
    tensors: Tensors = {}
    for number, spec in enumerate(policies):
        drawn = initialise(spec, number, config, seed)
        tensors |= {
            name: (value * scale).astype(np.float32) if value.dtype == np.float32 else value  # a structure is no number
            for name, value in drawn.items()
        }
        tensors |= Statistics.fresh(spec, config).tensors(spec)
    return tensors


def doubled(tensors: Tensors) -> Tensors:
    """The same weights in float64."""
    return {name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in tensors.items()}


@dataclass(frozen=True, eq=False)
class Script:
    """K episodes of a team, written down beforehand; whatever the agents do, this is what happens.

    Attributes:
        observations: float32 `[time, episode, agent, observation]`.
        final_observations: float32, likewise; what the truncated see last.
        present: bool `[time, episode, agent]`.
        alive: bool `[time, episode, agent]`, during which steps a life lasts, its absences included.
        terminated, truncated: bool `[time, episode, agent]`.
        rewards: float32 `[time, episode, agent]`.
        team_rewards: float32 `[time, episode]`.
        lengths: int32 `[episode]`.
        masks: bool `[time, episode, agent, choice]`; None if there are none.
        choices, bounds: of each agent's actions; one of the two is empty.
    """

    observations: FloatArray
    final_observations: FloatArray
    present: BoolArray
    alive: BoolArray
    terminated: BoolArray
    truncated: BoolArray
    rewards: FloatArray
    team_rewards: FloatArray
    lengths: IntArray
    masks: BoolArray | None
    choices: tuple[int, ...]
    bounds: tuple[tuple[float, float], ...] = ()

    @property
    def time(self) -> int:
        """Steps of the longest episode."""
        return len(self.present)

    @property
    def episodes(self) -> int:
        """K."""
        return len(self.lengths)

    @property
    def agents(self) -> int:
        """N."""
        return int(self.present.shape[2])

    @property
    def running(self) -> BoolArray:
        """bool `[time, episode]`, before the end of each episode."""
        steps = np.arange(self.time)
        return steps[:, None] < self.lengths

    def spec(self, max_steps: int | None = None, team_reward: bool = True) -> EnvironmentSpec:
        """The specification of the environment that plays this."""
        size = self.observations.shape[-1]
        agents = tuple(
            AgentSpec(f"agent_{number}", (size,), self.choices, self.bounds) for number in range(self.agents)
        )
        return EnvironmentSpec("script", "script 1", agents, max_steps, team_reward, self.masks is not None)


def write_script(
    seed: int,
    time: int = 7,
    episodes: int = 3,
    agents: int = 3,
    size: int = 3,
    choices: tuple[int, ...] = (3,),
    masked: bool = False,
    bounds: tuple[tuple[float, float], ...] = (),
    dies: float = 0.15,
    cut: float = 0.1,
    born: float = 0.5,
    away: float = 0.15,
) -> Script:
    """A script drawn at random: agents that are born, die or are cut off, come back, or are away for a while, in
    episodes of unequal lengths; `dies`, `cut`, `born`, `away` are the chances of it per step."""
    draws = np.random.Generator(np.random.Philox(key=seed))
    lengths = draws.integers(1, time + 1, episodes).astype(np.int32)
    lengths[draws.integers(episodes)] = time
    slots = (time, episodes, agents)
    present, alive, terminated, truncated = (np.zeros(slots, np.bool_) for _ in range(4))
    for episode in range(episodes):
        for agent in range(agents):
            living = False
            for step in range(lengths[episode]):
                first = step == episode == agent == 0
                present[step, episode, agent] = first or draws.random() >= (away if living else 1.0 - born)
                living = living or bool(present[step, episode, agent])
                alive[step, episode, agent] = living
                last = step == lengths[episode] - 1
                terminated[step, episode, agent] = living and draws.random() < max(dies, 0.3 * last)
                living = living and not terminated[step, episode, agent]
                truncated[step, episode, agent] = living and draws.random() < max(cut, 0.3 * last)
                living = living and not truncated[step, episode, agent]
    running = np.arange(time)[:, None] < lengths
    masks = None
    if masked and not bounds:
        masks = draws.random((*slots, sum(choices))) < 0.5
        starts = np.cumsum(choices) - choices
        for start, count in zip(starts, choices, strict=True):
            sure = start + draws.integers(count, size=slots)
            np.put_along_axis(masks, sure[..., None], True, axis=3)
        masks[~present] = False
    return Script(
        observations=np.where(present[..., None], draws.normal(size=(*slots, size)), GARBAGE).astype(np.float32),
        final_observations=draws.normal(size=(*slots, size)).astype(np.float32),
        present=present,
        alive=alive,
        terminated=terminated,
        truncated=truncated,
        rewards=np.where(alive, draws.normal(size=slots), GARBAGE).astype(np.float32),
        team_rewards=np.where(running, draws.normal(size=slots[:2]), GARBAGE).astype(np.float32),
        lengths=lengths,
        masks=masks,
        choices=() if bounds else choices,
        bounds=bounds,
    )


def scripts(**given: st.SearchStrategy[Any]) -> st.SearchStrategy[Script]:
    """Scripts of every kind; what is given replaces the usual range of an argument of `write_script`."""
    chance = st.sampled_from([0.0, 0.1, 0.3])
    ranges = {
        "seed": st.integers(0, 2**32),
        "time": st.integers(1, 7),
        "episodes": st.integers(2, 4),
        "agents": st.integers(1, 3),
        "size": st.integers(1, 3),
        "choices": st.sampled_from([(2,), (3,), (5,), (2, 3), (1, 4)]),
        "masked": st.booleans(),
        "bounds": st.just(()),
        "dies": chance,
        "cut": chance,
        "born": st.sampled_from([0.3, 0.6, 1.0]),
        "away": chance,
    }
    return st.builds(write_script, **(ranges | given))


class ScriptedTeam:
    """An environment that plays a script. It gives out the same arrays at every step, as the contract allows."""

    def __init__(self, script: Script, max_steps: int | None = None, team_reward: bool = True) -> None:
        self.script = script
        self.spec = script.spec(max_steps, team_reward)
        self.told: list[ActionArray] = []
        slots = (script.episodes, script.agents)
        self._frame = Frame(
            observations=np.empty((*slots, self.spec.observation_size), np.float32),
            present=np.empty(slots, np.bool_),
            action_mask=None if script.masks is None else np.empty((*slots, self.spec.choice_size), np.bool_),
        )
        self._outcome = Outcome(
            rewards=np.empty(slots, np.float32),
            team_rewards=np.empty(slots[0], np.float32),
            terminated=np.empty(slots, np.bool_),
            truncated=np.empty(slots, np.bool_),
            over=np.empty(slots[0], np.bool_),
            frame=self._frame,
            final_observations=np.empty_like(self._frame.observations),
        )

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin; the generator is not drawn from."""
        assert episodes == self.script.episodes
        self.told = []
        self._show()
        return self._frame

    def observe(self, step: int, present: BoolArray) -> FloatArray:
        """What is seen before a step."""
        seen: FloatArray = self.script.observations[step]
        return seen

    def _show(self) -> None:
        step = len(self.told)
        if step == self.script.time:
            self._frame.observations[:] = GARBAGE
            self._frame.present[:] = False
            return
        self._frame.present[:] = self.script.present[step]
        self._frame.observations[:] = self.observe(step, self.script.present[step])
        if self._frame.action_mask is not None and self.script.masks is not None:
            self._frame.action_mask[:] = self.script.masks[step]

    def step(self, actions: ActionArray) -> Outcome:
        """Go on to the next line of the script."""
        script, outcome, step = self.script, self._outcome, len(self.told)
        self.told.append(actions.copy())
        outcome.rewards[:] = script.rewards[step]
        outcome.team_rewards[:] = script.team_rewards[step]
        outcome.terminated[:] = script.terminated[step]
        outcome.truncated[:] = script.truncated[step]
        outcome.over[:] = step + 1 >= script.lengths
        assert outcome.final_observations is not None
        outcome.final_observations[:] = script.final_observations[step]
        self._show()
        return outcome

    def render(self) -> NDArray[np.uint8] | None:
        """No picture."""
        return None

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True)
class Game:
    """A script with the policies that play it."""

    team: ScriptedTeam
    config: Config
    policies: tuple[PolicySpec, ...]
    version: PolicyVersion

    @staticmethod
    def of(
        script: Script,
        config: Config,
        seed: int = 0,
        max_steps: int | None = None,
        team: ScriptedTeam | None = None,
        weights: Callable[[Sequence[PolicySpec], Config], Tensors] | None = None,
    ) -> Game:
        """The script played by a team (its own, if none is given) with weights (drawn by `seed`, if none are given);
        K is the script's."""
        team = team or ScriptedTeam(script, max_steps)
        plain = configuration.to_dict(config)
        plain["task"]["episodes"] = script.episodes
        resolved = configuration.resolve(configuration.check(plain), team.spec)
        policies = divide(team.spec, resolved.sharing, resolved.network)
        tensors = tensors_for(policies, resolved, seed) if weights is None else weights(policies, resolved)
        return Game(team, resolved, policies, make(0, tensors))

    @property
    def spec(self) -> EnvironmentSpec:
        """Of the environment."""
        return self.team.spec

    def gradients(self, trajectories: Sequence[Trajectory]) -> list[NDArray[np.float64]]:
        """Each policy's gradient of a batch, by the learner's own code in float64."""
        return batch_gradients(trajectories, self.version.tensors(), self.policies, self.spec, self.config)

    def play(self, task: Task | None = None, greedy: bool = False) -> Trajectory:
        """The trajectory of a task."""
        player = Player(self.team, self.policies, self.config.seed, greedy)
        return player.play(self.version, task or training_task(), self.team.script.episodes)


def batch_gradients(
    trajectories: Sequence[Trajectory],
    tensors: Tensors,
    policies: Sequence[PolicySpec],
    environment: EnvironmentSpec,
    config: Config,
    slow: Tensors | None = None,
) -> list[NDArray[np.float64]]:
    """Each policy's gradient of a batch, flat, by the learner's own code in float64; `slow` holds the weights that
    value targets are read from."""
    networks = [Network.load(spec, config, doubled(tensors), torch.device("cpu")) for spec in policies]
    statistics = [Statistics.read(spec, config, tensors) for spec in policies]
    copies = None
    if slow is not None:
        copies = [Network.load(spec, config, doubled(slow), torch.device("cpu")) for spec in policies]
    tasks = [gradient.task_sums(played, networks, statistics, environment, config, copies) for played in trajectories]
    found = []
    for number, network in enumerate(networks):
        sums = [task[number].step for task in tasks]
        steps, lives = sum(part.steps for part in sums), sum(part.lives for part in sums)
        z = reduction.divisor(network.spec, steps, lives, len(sums), environment, config)
        found.append(added(network, sums) / z)
    return found


def added(network: Network, sums: Sequence[StepSums]) -> NDArray[np.float64]:
    """The gradient of some tasks' summed loss, flat."""
    total = np.zeros(len(network.flat))
    for part in sums:
        if part.gradient is not None:
            total += part.gradient.numpy()
    return total
