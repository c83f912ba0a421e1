"""EnvPool's environments, K episodes at once."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove, random_actions
from chorus.common.environments.permitted import permit
from chorus.common.errors import EnvironmentFault, Refused

envpool = pytest.importorskip("envpool")


def test_episodes_are_what_envpool_plays_alone() -> None:
    ours = make("envpool:CartPole-v1")
    assert ours.spec.max_steps == 500
    frame = ours.reset(3, np.random.default_rng(1))
    seed = int(np.random.default_rng(1).integers(2**31, size=4)[2])
    theirs = envpool.make_gymnasium("CartPole-v1", num_envs=1, seed=[seed], num_threads=1)
    seen, _ = theirs.reset()
    draw = np.random.default_rng(2)
    for _ in range(100):
        np.testing.assert_array_equal(frame.observations[1, 0], seen[0])
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        seen, _, terminated, _, _ = theirs.step(actions[1, 0].astype(np.int64))
        frame = outcome.frame
        assert outcome.over[1] == terminated[0]
        if terminated[0]:
            break
    assert outcome.over[1] and not outcome.frame.present[1].any()
    theirs.close()


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "MiniGrid-DoorKey-5x5-v0"])
def test_it_is_pure(name: str) -> None:
    assert prove(lambda: make(f"envpool:{name}"))[1].purity is Purity.PURE


def test_pictures_have_their_channels_last() -> None:
    ours = make("envpool:Pong-v5")
    assert ours.spec.agents[0].observation_shape == (84, 84, 4) and ours.spec.agents[0].raw
    frame = ours.reset(2, np.random.default_rng(1))
    seeds = np.random.default_rng(1).integers(2**31, size=3)[1:].tolist()
    theirs = envpool.make_gymnasium("Pong-v5", num_envs=2, seed=seeds, num_threads=1)
    seen, _ = theirs.reset()
    assert seen.shape == (2, 4, 84, 84)
    np.testing.assert_array_equal(frame.observations.reshape(2, 84, 84, 4), seen.transpose(0, 2, 3, 1))
    theirs.close()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("envpool:CartPol-v1", "did you mean 'CartPole-v1'"),
        ("envpool:CartPole-v1?num_threads=3", "is for Chorus to set"),
        ("envpool:CartPole-v1?gravity=3", "it refuses its settings"),
    ],
)
def test_a_wrong_name_or_setting_is_answered(spec: str, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        make(spec)


def test_its_names_are_known_and_no_others() -> None:
    permit("envpool:MiniGrid-DoorKey-5x5-v0", ())
    with pytest.raises(Refused):
        permit("envpool:os.system", ())
