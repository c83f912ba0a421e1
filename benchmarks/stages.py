"""What an agent-step costs if only environment, inference, forward and backward pass cost anything (seconds of a core).

The bound that end-to-end rates are held against follows from these. Nothing of a whole actor or learner that is not one
of the four is in them: no recording, no draws, no returns, no sums, no messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from msgspec import structs

from chorus.actor.inference import Inference
from chorus.actor.sampling import sample, sample_gaussian
from chorus.benchmarks.measurement import Effort, medians
from chorus.benchmarks.scene import Scene
from chorus.common.environments.interface import ActionArray
from chorus.common.tasks.seeding import environment_stream
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.distribution import categorical, squashed_gaussian
from chorus.learner.gradient.loss import Sample
from chorus.learner.gradient.network import Network


@dataclass(frozen=True)
class Stages:
    """Core-seconds per agent-step; `gradient` is that of all passes over it."""

    environment: float
    inference: float
    gradient: float

    @property
    def total(self) -> float:
        """Of all stages."""
        return self.environment + self.inference + self.gradient

    def bound(self, cores: int, actors: int) -> float:
        """Agent-steps per second that so many cores could do with so many actors, each of one core."""
        return min(cores / self.total, actors / (self.environment + self.inference))


def measure_stages(scene: Scene, effort: Effort) -> Stages:
    """Each stage alone, on the tasks of this configuration; one policy."""
    random = RandomTask(scene)
    played = scene.trajectory()
    spec, rows = scene.policies[0], scene.rows
    inference = Inference(scene.version.tensors(), spec, rows)
    inputs = spec.inputs(played.observations[0]).reshape(rows, -1)
    draws = np.random.default_rng(0).random((rows, spec.agent.action_size), np.float32)
    deviation = inference.log_std
    steps = len(played.acted)

    def act() -> None:
        for _ in range(steps):
            outputs = inference.step(inputs)
            if deviation is None:
                sample(outputs, spec.agent.choices, draws, None, False)
            else:
                sample_gaussian(outputs, deviation, spec.agent.bounds, draws, False)

    network, blocks = _differentiable(scene, played)

    def differentiate() -> None:
        for block in blocks:
            outputs = network.forward(block.inputs, block.lives, block.seen)
            if spec.agent.choices:
                log_probability, entropy = categorical(outputs.policy, block.actions, spec.agent.choices)
            else:
                spread = network.parameters["log_std"]
                log_probability, entropy = squashed_gaussian(outputs.policy, spread, block.actions, spec.agent.bounds)
            loss = -(log_probability + entropy).sum()
            network.gradient(loss if outputs.value is None else loss + outputs.value.square().sum())

    environment, inferring, gradient = medians([random.play, act, differentiate], effort)
    gradient *= scene.config.update.passes
    return Stages(environment / random.agent_steps, inferring / (steps * rows), gradient / played.agent_steps)


def _differentiable(scene: Scene, played: Trajectory) -> tuple[Network, list[Sample]]:
    """The first policy's network and a task's blocks as it reads them, which a learner of several passes keeps."""
    update = structs.replace(scene.config.update, passes=max(2, scene.config.update.passes))
    several = structs.replace(scene.config, update=update)
    training = replace(scene, config=several).training()
    material = training.sums(played).policies[0].material
    return training._networks[0], [block.sample(several) for block in material]


class RandomTask:
    """A task's episodes stepped with random actions: the environment alone."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._task = Task(0, Purpose.TRAINING, 0)
        spec = scene.spec
        shape = (256, scene.config.episodes, len(spec.agents), spec.action_size)
        draws = np.random.default_rng(0)
        if spec.discrete:
            self._actions: ActionArray = draws.integers(0, spec.agents[0].choices, shape).astype(np.int32)
        else:
            low, high = np.array(spec.agents[0].bounds).T
            self._actions = draws.uniform(low, high, shape).astype(np.float32)
        self.agent_steps = 0
        self.play()

    def play(self) -> None:
        """From reset to the end of the last episode; `agent_steps` says how many that were."""
        environment, count, step = self._scene.environment, 0, 0
        frame = environment.reset(self._scene.config.episodes, environment_stream(self._scene.config.seed, self._task))
        while True:
            count += int(np.count_nonzero(frame.present))
            outcome = environment.step(self._actions[step % 256])
            step += 1
            if outcome.over.all():
                break
            frame = outcome.frame
        self.agent_steps = count
