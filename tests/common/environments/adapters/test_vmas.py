"""VMAS scenarios, K episodes at once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove, random_actions
from chorus.common.errors import EnvironmentFault

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    vmas = pytest.importorskip("vmas")

NAVIGATION = "vmas:navigation?n_agents=3&max_steps=8"


def test_a_scenario_through_the_adapter_is_what_it_is_alone() -> None:
    import torch

    ours = make(NAVIGATION)
    assert [agent.name for agent in ours.spec.agents] == ["agent_0", "agent_1", "agent_2"]
    assert not ours.spec.discrete and ours.spec.max_steps == 8
    frame = ours.reset(5, np.random.default_rng(3))
    theirs = vmas.make_env("navigation", num_envs=5, device="cpu", n_agents=3, max_steps=8)
    observations = theirs.reset(seed=int(np.random.default_rng(3).integers(2**31)))
    draw = np.random.default_rng(4)
    for step in range(8):
        for i, seen in enumerate(observations):
            np.testing.assert_array_equal(frame.observations[:, i], seen.numpy())
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        observations, rewards, done, _ = theirs.step([torch.from_numpy(actions[:, i].copy()) for i in range(3)])
        for i, reward in enumerate(rewards):
            np.testing.assert_array_equal(outcome.rewards[:, i], reward.numpy())
        np.testing.assert_array_equal(outcome.over, done.numpy())
        assert outcome.truncated.all() == outcome.over.all() == (step == 7)
        frame = outcome.frame


def test_it_is_pure_although_vmas_keeps_its_random_state_for_the_whole_process() -> None:
    assert prove(lambda: make(NAVIGATION), steps=8)[1].purity is Purity.PURE


def test_an_episode_that_is_over_stays_over_and_counts_no_more() -> None:
    environment = make("vmas:balance?n_agents=2&max_steps=60&random_package_pos_on_line=false")
    draw = np.random.default_rng(0)
    frame = environment.reset(12, draw)
    over = np.zeros(12, bool)
    ends = np.zeros((12, 2), int)
    for _ in range(60):
        outcome = environment.step(random_actions(environment.spec, frame, draw))
        assert not (over & ~outcome.over).any()
        assert not outcome.rewards[over].any() and not outcome.frame.observations[over].any()
        assert not (outcome.terminated | outcome.truncated)[over].any()
        ends += outcome.terminated | outcome.truncated
        frame, over = outcome.frame, outcome.over.copy()
        assert (frame.present == ~over[:, None]).all()
    assert over.all() and (ends == 1).all()


def test_actions_are_discrete_if_one_says_so() -> None:
    environment = make("vmas:balance?continuous_actions=false")
    assert environment.spec.agents[0].choices == (9,)
    frame = environment.reset(3, np.random.default_rng(0))
    environment.step(random_actions(environment.spec, frame, np.random.default_rng(1)))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("vmas:navigaton", "did you mean 'navigation'"),
        ("vmas:navigation?n_agens=3", "did you mean 'n_agents'"),
        ("vmas:navigation?num_envs=3", "unknown setting num_envs"),
    ],
)
def test_unknown_scenarios_and_settings_are_explained(spec: str, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        make(spec)
