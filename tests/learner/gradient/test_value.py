"""The learned baseline: its targets, its loss and the advantages it leaves, against sums that are written out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.errors import ConfigError
from chorus.common.policy.layout import layout
from chorus.common.policy.weights import make
from tests import reference
from tests.playground import Game, Script, batch_gradients, scripts, tensors_for, training_task, write_script
from tests.playground import settings as configured


def assert_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """To the rounding of float64."""
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    script=scripts(),
    sharing=st.sampled_from(["all", "all_with_id", "none"]),
    network=st.sampled_from(["head", "own"]),
    target=st.sampled_from([{"trace": 0.0}, {"trace": 0.8}, {"trace": 1.0}, {"steps": 1}, {"steps": 3}, {"steps": 50}]),
    reduction=st.sampled_from(["mean", "sum", "agent_mean"]),
    discount=st.sampled_from([0.0, 0.9, 1.0]),
)
def test_the_gradient_with_a_learned_value_equals_a_slow_one_for_every_pattern_of_lives(
    script: Script, sharing: str, network: str, target: dict[str, Any], reduction: str, discount: float
) -> None:
    config = configured(
        sharing={"mode": sharing},
        loss={"baseline": "value", "reduction": reduction, "discount": discount},
        value={"network": network, **target},
        reward={"individual": 0.7, "team": 0.4},
    )
    game = Game.of(script, config)
    batch = [game.play(training_task(index=index)) for index in range(2)]
    expected = reference.gradients(batch, game.version.tensors(), game.policies, game.spec, game.config)
    for found, slow in zip(game.gradients(batch), expected, strict=True):
        assert_equal(found, slow)


@pytest.fixture
def script() -> Script:
    """Deaths, cuts, rebirths, absences and unequal lengths."""
    found = write_script(seed=5, time=7, episodes=4, agents=3)
    assert found.truncated.any() and found.terminated.any()
    return found


def test_targets_are_read_from_the_slow_copy_and_the_baseline_is_not(script: Script) -> None:
    game = Game.of(script, configured(loss={"baseline": "value"}, value={"trace": 0.5, "slow": 0.1}))
    slow = tensors_for(game.policies, game.config, seed=9)
    batch = [game.play()]
    tensors = game.version.tensors()
    found = batch_gradients(batch, tensors, game.policies, game.spec, game.config, slow)[0]
    expected = reference.gradients(batch, tensors, game.policies, game.spec, game.config, slow=slow)[0]
    assert_equal(found, expected)
    assert not np.allclose(found, game.gradients(batch)[0], rtol=1e-3)


def test_a_value_is_learned_in_terms_of_the_returns_mean_and_deviation(script: Script) -> None:
    game = Game.of(script, configured(loss={"baseline": "value"}))
    tensors = game.version.tensors() | {"all/credit": np.array([2.0, 10.0, 68.0])}  # mean 5, deviation 3
    scaled = replace(game, version=make(0, tensors))
    batch = [scaled.play()]
    expected = reference.gradients(batch, tensors, game.policies, game.spec, game.config, terms=(5.0, 3.0))[0]
    assert_equal(scaled.gradients(batch)[0], expected)


@pytest.mark.parametrize("trace", [0.0, 0.3, 1.0])
def test_a_limit_of_time_is_the_end_for_a_value_as_it_is_for_a_return(script: Script, trace: float) -> None:
    """Nobody is credited with a time after the limit: neither who lives to see it, nor who died for the team."""
    cut = replace(script, truncated=script.truncated | script.terminated, terminated=np.zeros_like(script.terminated))
    died = replace(script, terminated=script.truncated | script.terminated, truncated=np.zeros_like(script.truncated))
    config = configured(loss={"baseline": "value", "discount": 0.9}, value={"trace": trace})
    found = [Game.of(played, config) for played in (cut, died)]
    for ours, theirs in zip(*(game.gradients([game.play()]) for game in found), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("sharing", ["all", "none"])
@pytest.mark.parametrize("memory", ["lstm", "none"])
def test_a_value_that_sees_the_team_is_shown_all_that_act_and_who_is_asked_for(
    script: Script, sharing: str, memory: str
) -> None:
    """The gradient again, the value computed life by life from inputs that are put together by hand."""
    config = configured(
        sharing={"mode": sharing},
        loss={"baseline": "value"},
        value={"network": "own", "sees": "team", "memory": memory, "trace": 0.7},
    )
    game = Game.of(script, config)
    batch = [game.play(training_task(index=index)) for index in range(2)]
    expected = reference.gradients(batch, game.version.tensors(), game.policies, game.spec, game.config)
    for found, slow in zip(game.gradients(batch), expected, strict=True):
        assert_equal(found, slow)


def test_the_policy_never_sees_the_team(script: Script) -> None:
    """Its inputs and shapes are those of a run whose value sees what the agent sees."""
    shapes = {}
    for sees in ("own", "team"):
        game = Game.of(script, configured(loss={"baseline": "value"}, value={"network": "own", "sees": sees}))
        own = layout(game.policies[0], game.config)
        shapes[sees] = {name: draw.shape for name, draw in own.items() if not name.startswith("value.")}
    assert shapes["own"] == shapes["team"]
    with pytest.raises(ConfigError, match=r"the policy's network must not see the team; set value\.network to own"):
        configured(loss={"baseline": "value"}, value={"network": "head", "sees": "team"})
