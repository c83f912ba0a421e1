"""The learner finds for every action the log-probability that the actor found, to 1e-5, and the metric says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import Statistics
from tests import reference
from tests.playground import Game, Script, scripts, tensors_for, write_script
from tests.playground import settings as configured

LIMIT = 1e-5


def judged(game: Game, played: Trajectory) -> list[PolicySums]:
    """The learner's sums in the precision that it works in."""
    tensors = game.version.tensors()
    networks = [Network.load(spec, game.config, tensors, torch.device("cpu")) for spec in game.policies]
    statistics = [Statistics.read(spec, game.config, tensors) for spec in game.policies]
    return gradient.task_sums(played, networks, statistics, game.spec, game.config)


@settings(max_examples=120, deadline=None)
@given(
    script=scripts(
        time=st.integers(1, 20),
        episodes=st.integers(2, 12),
        agents=st.integers(1, 5),
        size=st.integers(1, 9),
        bounds=st.sampled_from([(), (), ((-1.0, 1.0), (0.0, 9.0))]),
    ),
    sharing=st.sampled_from(["all", "all_with_id", "none"]),
    network=st.sampled_from(
        [
            {},
            {"encoder": 33, "lstm": 17},
            {"memory": "none"},
            {"normalise_observations": True},
            {"lstm": 64},
            {"memory": "gru", "encoder": [20, 20]},
            {"layers": 2, "activation": "tanh"},
            {"memory": "gru", "layers": 2, "activation": "silu", "initialisation": "orthogonal"},
            {"memory": "none", "layer_norm": True, "encoder": []},
        ]
    ),
    baseline=st.sampled_from(["none", "value"]),
)
def test_learner_and_actor_agree_for_every_shape_of_lives(
    script: Script, sharing: str, network: dict[str, Any], baseline: str
) -> None:
    config = configured(sharing={"mode": sharing}, network=network, loss={"baseline": baseline})
    scale = 1.0 if script.bounds else 3.0  # a mean of 50 deviations is not known to 1e-5 of one, in float32
    game = Game.of(script, config, weights=lambda policies, config: tensors_for(policies, config, scale=scale))
    assert max(part.step.disagreement for part in judged(game, game.play())) <= LIMIT


def test_they_agree_over_long_episodes_of_many_rows() -> None:
    script = write_script(seed=1, time=200, episodes=32, agents=3, size=18, choices=(5,), dies=0.01, cut=0.01)
    game = Game.of(script, configured(network={"encoder": 64, "lstm": 64}))
    (sums,) = judged(game, game.play())
    assert sums.step.steps > 5_000 and sums.step.disagreement <= LIMIT


def test_the_metric_is_the_greatest_difference_relative_to_the_log_probability() -> None:
    script = write_script(seed=2, time=8, episodes=4, agents=3)
    game = Game.of(script, configured())
    played = game.play()
    slots = np.argwhere(played.acted)
    likely = max((tuple(slot) for slot in slots), key=lambda slot: float(played.log_probabilities[slot]))
    unlikely = min((tuple(slot) for slot in slots), key=lambda slot: float(played.log_probabilities[slot]))
    for slot in (likely, unlikely):
        scores = played.log_probabilities.copy()
        scores[slot] -= 0.5
        (sums,) = judged(game, replace(played, log_probabilities=scores))
        assert sums.step.disagreement == pytest.approx(0.5 / max(1.0, -float(scores[slot])), abs=LIMIT)
    assert played.log_probabilities[unlikely] < -1.0


def test_both_are_right_and_not_only_alike() -> None:
    script = write_script(seed=3, time=8, episodes=4, agents=3, masked=True)
    game = Game.of(script, configured())
    played = game.play()
    spec = game.policies[0]
    own = reference.parameters_of(game.version.tensors(), spec, game.config)
    for life in reference.lives_of(played):
        for step, (log_pi, _) in zip(life.steps, reference.judge(spec, own, played, life), strict=True):
            exact = float(log_pi.detach())
            found = float(played.log_probabilities[step, life.episode, life.agent])
            assert abs(found - exact) <= LIMIT * max(1.0, abs(exact))
