"""The built-in environment is `mpe2`'s simple_spread, only faster and with the reward in its two parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.spread import Spread

STEPS = 25


def mpe2_from(agents: np.ndarray, landmarks: np.ndarray, velocities: np.ndarray, local_ratio: float) -> Any:
    """One `mpe2` environment in the given state; the arrays are `[agent, 2]`."""
    from mpe2 import simple_spread_v3

    environment = simple_spread_v3.parallel_env(N=len(agents), local_ratio=local_ratio, max_cycles=STEPS)
    environment.reset(seed=0)
    world = environment.unwrapped.world
    for i, agent in enumerate(world.agents):
        agent.state.p_pos, agent.state.p_vel = agents[i].copy(), velocities[i].copy()
    for i, landmark in enumerate(world.landmarks):
        landmark.state.p_pos = landmarks[i].copy()
    return environment


@pytest.mark.parametrize("agents", [2, 3, 5])
@pytest.mark.parametrize("crowding", [1.0, 0.25], ids=["roomy", "colliding"])
def test_spread_equals_mpe2_over_whole_episodes(agents: int, crowding: float) -> None:
    pytest.importorskip("mpe2")
    episodes = 4
    draw = np.random.default_rng(agents)
    places = draw.uniform(-crowding, crowding, (episodes, agents, 2))
    landmarks = draw.uniform(-1, 1, (episodes, agents, 2))
    velocities = draw.uniform(-0.5, 0.5, (episodes, agents, 2))
    actions = draw.integers(0, 5, (STEPS, episodes, agents, 1)).astype(np.int32)

    ours = Spread(agents, STEPS)
    frame = ours.place(places, landmarks, velocities)
    seen, own, team, over = [frame.observations.copy()], [], [], []
    for t in range(STEPS):
        if crowding < 1 and t % 3:  # mostly, everyone heads for the next agent, so that they stay in contact
            ahead = seen[-1][:, :, 4 + 2 * agents :][:, :, :2]
            along_x = np.abs(ahead[..., 0]) > np.abs(ahead[..., 1])
            actions[t, :, :, 0] = np.where(along_x, 1 + (ahead[..., 0] > 0), 3 + (ahead[..., 1] > 0))
        outcome = ours.step(actions[t])
        seen.append(outcome.frame.observations.copy())
        own.append(outcome.rewards.copy())
        team.append(outcome.team_rewards.copy())
        over.append(outcome.over.all())
    assert over == [False] * (STEPS - 1) + [True]

    collisions = 0.0
    for k in range(episodes):
        halves = mpe2_from(places[k], landmarks[k], velocities[k], local_ratio=0.5)
        only_own = mpe2_from(places[k], landmarks[k], velocities[k], local_ratio=1.0)
        names = halves.agents
        for i, name in enumerate(names):
            start = halves.unwrapped.observe(name)
            np.testing.assert_allclose(seen[0][k, i], start, rtol=0, atol=1e-5)
        for t in range(STEPS):
            moves = {name: int(actions[t, k, i, 0]) for i, name in enumerate(names)}
            observations, mixed, _, truncated, _ = halves.step(moves)
            _, individual, _, _, _ = only_own.step(moves)
            for i, name in enumerate(names):
                np.testing.assert_allclose(seen[t + 1][k, i], observations[name], rtol=0, atol=1e-5)
                assert own[t][k, i] == pytest.approx(individual[name], abs=1e-5)
                assert 0.5 * own[t][k, i] + 0.5 * team[t][k] == pytest.approx(mixed[name], abs=1e-5)
                assert truncated[name] == (t == STEPS - 1)
                collisions -= own[t][k, i]
    if crowding < 1:
        assert collisions > STEPS, "the crowded episodes are there to test contact"


def test_the_same_generator_starts_an_episode_where_mpe2_would() -> None:
    pytest.importorskip("mpe2")
    from mpe2 import simple_spread_v3

    theirs = simple_spread_v3.parallel_env(N=3)
    observations, _ = theirs.reset(seed=11)
    frame = Spread(3).reset(1, np.random.default_rng(11))
    for i, name in enumerate(theirs.agents):
        np.testing.assert_allclose(frame.observations[0, i], observations[name], rtol=0, atol=1e-6)


def test_equal_draws_and_actions_give_equal_bits_whatever_was_played_before() -> None:
    def play(environment: Spread, seed: int, episodes: int) -> bytes:
        draw = np.random.default_rng(seed)
        parts = [environment.reset(episodes, draw).observations.tobytes()]
        for _ in range(STEPS):
            outcome = environment.step(draw.integers(0, 5, (episodes, 3, 1)).astype(np.int32))
            parts += [outcome.frame.observations.tobytes(), outcome.rewards.tobytes(), outcome.team_rewards.tobytes()]
        return b"".join(parts)

    used = Spread(3)
    play(used, 1, 7)
    play(used, 2, 3)
    assert play(used, 1, 7) == play(Spread(3), 1, 7)


def test_an_episode_does_not_depend_on_those_played_beside_it() -> None:
    draw = np.random.default_rng(5)
    places, landmarks = draw.uniform(-0.4, 0.4, (2, 6, 3, 2))
    actions = draw.integers(0, 5, (STEPS, 6, 3, 1)).astype(np.int32)
    alone, together = Spread(3), Spread(3)
    alone.place(places[4:5], landmarks[4:5])
    together.place(places, landmarks)
    for t in range(STEPS):
        one, all_six = alone.step(actions[t, 4:5]), together.step(actions[t])
        np.testing.assert_array_equal(one.frame.observations[0], all_six.frame.observations[4])
        np.testing.assert_array_equal(one.rewards[0], all_six.rewards[4])
        np.testing.assert_array_equal(one.team_rewards[0], all_six.team_rewards[4])


def test_the_time_limit_cuts_every_life_off_and_nobody_is_present_after_it() -> None:
    environment = Spread(2, steps=3)
    assert environment.reset(4, np.random.default_rng(0)).present.all()
    nothing = np.zeros((4, 2, 1), np.int32)
    for _ in range(2):
        outcome = environment.step(nothing)
        assert outcome.frame.present.all() and not outcome.truncated.any() and not outcome.over.any()
    outcome = environment.step(nothing)
    assert outcome.truncated.all() and outcome.over.all() and not outcome.terminated.any()
    assert not outcome.frame.present.any()
    assert outcome.frame.observations[..., 2:4].any(), "the last observation of a truncated life can be read"
    after = environment.step(nothing)
    assert after.over.all() and not after.truncated.any() and not after.rewards.any() and not after.team_rewards.any()


def test_two_agents_in_one_place_do_not_break_the_numbers() -> None:
    environment = Spread(2)
    environment.place(np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    outcome = environment.step(np.zeros((1, 2, 1), np.int32))
    assert np.isfinite(outcome.frame.observations).all()
    assert outcome.rewards.tolist() == [[-1.0, -1.0]]


def test_the_picture_shows_the_first_episode() -> None:
    pytest.importorskip("PIL")
    environment = make("spread?agents=3", render=True)
    assert environment.render() is None
    environment.reset(2, np.random.default_rng(0))
    before = environment.render()
    assert before is not None and before.dtype == np.uint8 and before.shape[2] == 3
    environment.step(np.full((2, 3, 1), 2, np.int32))
    environment.step(np.full((2, 3, 1), 2, np.int32))
    after = environment.render()
    assert after is not None and (after != before).any()


def test_the_spec_says_what_training_needs() -> None:
    spec = make("spread?agents=5&steps=40").spec
    assert [agent.name for agent in spec.agents] == [f"agent_{i}" for i in range(5)]
    assert spec.observation_size == 4 + 10 + 8 + 8
    assert (spec.max_steps, spec.team_reward, spec.discrete, spec.action_size, spec.choice_size) == (
        40,
        True,
        True,
        1,
        5,
    )
