"""Pictures of bytes stay bytes until the network looks at them, and the bits are those of pictures of numbers."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chorus.common.environments.interface import AgentSpec, as_seen
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import convolution, reinforce
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.packed_steps import PackedSteps
from chorus.learner.gradient.running_statistics import Statistics
from tests.playground import Game, ScriptedTeam, settings, write_script

SHAPE = (9, 8, 3)
SIZE = int(np.prod(SHAPE))


class Pictures(ScriptedTeam):
    """Shows noise, in bytes."""

    def __init__(self, **shape: Any) -> None:
        super().__init__(write_script(**({"seed": 5, "time": 6, "episodes": 4, "agents": 2, "size": SIZE} | shape)))
        count = self.script.agents
        agents = tuple(AgentSpec(f"agent_{number}", SHAPE, (3,), raw=True) for number in range(count))
        self.spec = replace(self.spec, agents=agents)
        self._noise = np.random.default_rng(1)
        slots = (self.script.episodes, count, SIZE)
        self._frame = replace(self._frame, observations=np.empty(slots, np.uint8))
        self._outcome = replace(self._outcome, frame=self._frame)

    def _show(self) -> None:
        step = len(self.told)
        self._frame.present[:] = step < self.script.time and self.script.present[step]
        self._frame.observations[:] = self._noise.integers(0, 256, self._frame.observations.shape, np.uint8)


def game(config: dict[str, Any], **shape: Any) -> Game:
    team = Pictures(**shape)
    return Game.of(team.script, settings(**({"network": {"channels": [4], "lstm": 5}} | config)), team=team)


def sums(played: Trajectory, made: Game) -> list[reinforce.PolicySums]:
    tensors = made.version.tensors()
    networks = [Network.load(spec, made.config, tensors, torch.device("cpu")) for spec in made.policies]
    statistics = [Statistics.read(spec, made.config, tensors) for spec in made.policies]
    return reinforce.task_sums(played, networks, statistics, made.spec, made.config)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"sharing": {"mode": "none"}},
        {"sharing": {"mode": "all_with_id"}},
        {"loss": {"baseline": "value"}, "value": {"network": "own", "sees": "own"}},
        {"network": {"channels": [], "encoder": 6, "lstm": 5}},
    ],
    ids=["one policy", "a policy each", "with an id", "value", "flattened"],
)
@pytest.mark.parametrize("at_once", [64 << 20, 1])
def test_bytes_and_numbers_give_the_same_bits(
    config: dict[str, Any], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "PICTURES_BYTES", at_once)
    made = game(config)
    played = made.play()
    assert played.observations.dtype == np.uint8 and played.observations.max() > 200
    numbers = replace(played, observations=as_seen(played.observations))
    for one, other in zip(sums(played, made), sums(numbers, made), strict=True):
        assert one.step.gradient is not None and other.step.gradient is not None and one.step.gradient.any()
        assert torch.equal(one.step.gradient, other.step.gradient)
        assert one.step.loss == other.step.loss
    np.testing.assert_array_equal(np.concatenate(made.gradients([played])), np.concatenate(made.gradients([numbers])))


def test_what_is_shown_is_no_larger_than_what_was_recorded() -> None:
    made = game({}, time=40, episodes=8)
    played = made.play()
    data = reinforce.policy_data(played, made.policies, [1.0], made.spec, made.config)[0]
    steps = PackedSteps.of(data, torch.device("cpu"))
    tracemalloc.start()
    try:
        shown = steps.inputs(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shown.dtype == torch.uint8 and shown.shape == (steps.lives.count, SIZE)
    assert peak < 1.5 * played.observations.nbytes
