"""The worlds of the studies keep the rules of environments, and are what their studies say."""

import numpy as np
import pytest

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove
from chorus.common.environments.interface import Outcome
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.common.tasks.checking import validate
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.update.training import first_version

WORLDS = ["blind?agents=2&seen=3", "batteries?agents=3", "sparse?agents=2", "weather?agents=3", "tag?steps=25"]


def played(spec: str, episodes: int = 8) -> Trajectory:
    environment = make(f"chorus.studies.worlds:{spec}")
    config = configuration.resolve(configuration.check({}), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)
    player = Player(environment, policies, 0)
    trajectory = player.play(first_version(config, policies), Task(0, Purpose.TRAINING, 0), episodes)
    validate(trajectory, environment.spec, episodes)
    return trajectory


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_is_a_pure_function_of_its_draws_and_actions(world: str) -> None:
    _, finding = prove(lambda: make(f"chorus.studies.worlds:{world}"))
    assert finding.purity is Purity.PURE


def test_landmarks_are_seen_in_the_first_steps_and_never_again() -> None:
    seen = played("blind?agents=2&seen=3").observations[:, :, :, 4:8]
    assert seen[:3].all() and not seen[3:].any()


def test_batteries_end_lives_at_different_steps_and_never_before_the_least() -> None:
    trajectory = played("batteries?agents=3&steps=25&least=5", episodes=64)
    lengths = trajectory.acted.sum(axis=0)
    assert (lengths.min(), lengths.max()) == (5, 25)
    for k in range(64):
        for i in range(3):
            ended = trajectory.terminated[:, k, i] | trajectory.truncated[:, k, i]
            assert np.flatnonzero(ended).tolist() == [lengths[k, i] - 1]
            assert trajectory.acted[: lengths[k, i], k, i].all()
    np.testing.assert_array_equal(trajectory.lengths, lengths.max(axis=1))
    assert trajectory.terminated.any() and trajectory.truncated.any()


def test_the_sparse_world_pays_for_covered_landmarks_and_for_being_near_one() -> None:
    trajectory = played("sparse?agents=2")
    places = trajectory.observations[..., 2:4].astype(float)
    for t in range(trajectory.acted.shape[0] - 1):
        for k in range(8):
            landmarks = places[0, k, 0] + trajectory.observations[0, k, 0, 4:8].reshape(2, 2)
            away = np.linalg.norm(places[t + 1, k][:, None] - landmarks[None], axis=2)
            np.testing.assert_allclose(trajectory.individual_rewards[t, k], -away.min(axis=1), atol=1e-5)
            clear = np.abs(away.min(axis=0) - 0.3) > 1e-4
            if clear.all():
                assert trajectory.team_rewards[t, k] == (away.min(axis=0) < 0.3).all()


def test_the_weather_is_the_same_for_all_agents_of_an_episode_and_seen_by_none() -> None:
    trajectory = played("weather?agents=3", episodes=32)
    velocity = trajectory.observations[1:, ..., :2].astype(float)
    for k in range(32):
        moves, paid = velocity[:, k].reshape(-1, 2), trajectory.individual_rewards[:-1, k].reshape(-1)
        wind, *_ = np.linalg.lstsq(moves, paid, rcond=None)
        assert np.linalg.norm(wind) == pytest.approx(1.0, abs=1e-4)
        np.testing.assert_allclose(moves @ wind, paid, atol=1e-4)
    np.testing.assert_allclose(trajectory.team_rewards, trajectory.individual_rewards.mean(axis=2), atol=1e-5)


def test_in_tag_what_the_chaser_gains_by_a_touch_its_prey_loses() -> None:
    environment = make("chorus.studies.worlds:tag")
    environment.reset(64, np.random.default_rng(0))
    draw = np.random.default_rng(1)
    touched = 0
    for _ in range(25):
        outcome: Outcome = environment.step(draw.integers(0, 5, (64, 3, 1)).astype(np.int32))
        places = outcome.frame.observations[:, :, 2:4].astype(float)
        away = np.linalg.norm(places[:, 1:] - places[:, :1], axis=2)
        outside = 5.0 * np.clip(np.abs(places) - 1.0, 0.0, 1.0).sum(axis=2)
        contact = (away < 0.3).astype(float)
        clear = np.abs(away - 0.3).min(axis=1) > 1e-4
        expected = np.concatenate([contact.sum(1, keepdims=True) - 0.1 * away.min(1, keepdims=True), -contact], axis=1)
        np.testing.assert_allclose(outcome.rewards[clear], (expected - outside)[clear], atol=1e-4)
        touched += int(contact.sum())
    assert touched > 0
