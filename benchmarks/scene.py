"""All that a benchmark plays and learns with: a resolved configuration, its environment, policies and first version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.interface import Environment, EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config, resolve
from chorus.common.settings.plain import override
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.update.training import Training, first_version

ONE_STEP = (
    "update.passes=1",
    "loss.baseline=leave_one_out",
    "value.network=head",
    "value.sees=own",
    "reward.scale=none",
    "network.layer_norm=false",
)
"""What benchmarks measure unless they say otherwise: averaged REINFORCE, one step per batch, one network, which is the
one that other trainers have: encoder, memory, head, and nothing normalised in between."""
RECIPE: tuple[str, ...] = ()
"""The defaults as they are: several passes, a value with a network of its own that sees the team."""


@dataclass(frozen=True)
class Scene:
    """See the module's head."""

    config: Config
    environment: Environment
    policies: tuple[PolicySpec, ...]
    version: PolicyVersion

    @staticmethod
    def of(settings: dict[str, Any], *assignments: str, base: tuple[str, ...] = ONE_STEP) -> Scene:
        """From settings as a configuration file holds them, and `key=value` assignments, over `base`."""
        for assignment in base:
            section, _, key = assignment.partition("=")[0].rpartition(".")
            if key not in settings.get(section, {}):
                override(settings, assignment)
        for assignment in assignments:
            override(settings, assignment)
        config = configuration.check(settings)
        environment = make(config.environment.spec)
        config = resolve(config, environment.spec)
        policies = divide(environment.spec, config.sharing, config.network)
        return Scene(config, environment, policies, first_version(config, policies))

    @property
    def spec(self) -> EnvironmentSpec:
        """Of the environment."""
        return self.environment.spec

    @property
    def rows(self) -> int:
        """Agents of all episodes of a task."""
        return self.config.episodes * len(self.spec.agents)

    def player(self) -> Player:
        """Plays tasks, as an actor does."""
        return Player(self.environment, self.policies, self.config.seed, instances=self.config.instances)

    def training(self) -> Training:
        """Differentiates tasks, as a learner does in all updates but its first, which measures its batch before."""
        training = Training(self.config, self.spec, self.policies, {0: self.version})
        training.apply([training.sums(self.trajectory(index)) for index in range(self.config.tasks)])
        return training

    def trajectory(self, index: int = 0) -> Trajectory:
        """A task of the first update, played."""
        return self.player().play(self.version, Task(0, Purpose.TRAINING, index), self.config.episodes)


def ragged(trajectory: Trajectory, seed: int = 0) -> Trajectory:
    """The same steps cut into lives of unlike lengths: episodes end early, anywhere from the first step to the last."""
    time, episodes, _ = trajectory.acted.shape
    lengths = np.random.default_rng(seed).integers(1, time + 1, episodes).astype(np.int32)
    lengths[0] = time
    step = np.arange(time)[:, None]
    running = (step < lengths)[:, :, None]
    last = np.broadcast_to((step == lengths - 1)[:, :, None], trajectory.acted.shape)
    arrays = {
        name: array * running.reshape(running.shape[:2] + (1,) * (array.ndim - 2))
        for name, array in trajectory.arrays.items()
        if array.shape[:2] == (time, episodes)
    }
    arrays |= {"lengths": lengths, "action_masks": trajectory.action_masks}
    arrays["terminated"], arrays["truncated"] = np.ascontiguousarray(last), np.zeros_like(trajectory.truncated)
    return Trajectory(trajectory.task, trajectory.version, **arrays)
