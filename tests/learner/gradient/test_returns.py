"""Returns and baselines, each against a sum that is written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.learner.gradient.returns import alive, discounted, leave_one_out, mixed_returns, split_rewards
from tests import reference
from tests.playground import Game, Script, ScriptedTeam, scripts
from tests.playground import settings as configured

every_discount = st.sampled_from([0.0, 0.5, 0.99, 1.0])


def values(seed: int, *shape: int) -> np.ndarray:
    """Any numbers."""
    return np.random.Generator(np.random.Philox(key=seed)).normal(size=shape)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), time=st.integers(1, 9), discount=every_discount, ends=st.floats(0.0, 1.0))
def test_a_return_is_the_discounted_sum_to_the_end_of_the_life(
    seed: int, time: int, discount: float, ends: float
) -> None:
    rewards = values(seed, time, 3)
    ended = np.random.Generator(np.random.Philox(key=seed)).random((time, 3)) < ends
    found, whole = discounted(rewards, discount, ended), discounted(rewards, discount)
    for step, row in np.ndindex(time, 3):
        last = next((later for later in range(step, time) if ended[later, row]), time - 1)
        own = sum(discount ** (later - step) * rewards[later, row] for later in range(step, last + 1))
        everything = sum(discount ** (later - step) * rewards[later, row] for later in range(step, time))
        assert found[step, row] == pytest.approx(own) and whole[step, row] == pytest.approx(everything)


def test_who_died_for_the_team_is_credited_with_what_it_brought_and_not_with_its_own_next_life() -> None:
    """An agent dies in the first step; the team is paid in the third, in which the agent is alive again."""
    individual = np.array([1.0, 0.0, 10.0]).reshape(3, 1, 1)
    team = np.array([0.0, 0.0, 100.0]).reshape(3, 1)
    ended = np.array([True, False, True]).reshape(3, 1, 1)
    found = mixed_returns(individual, team, ended, (2.0, 3.0), 0.5)
    assert found[0, 0, 0] == 2.0 * 1.0 + 3.0 * 0.25 * 100.0
    assert found[2, 0, 0] == 2.0 * 10.0 + 3.0 * 100.0


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    time=st.integers(1, 5),
    episodes=st.integers(2, 5),
    agents=st.integers(1, 4),
    pool=st.sampled_from(["agent", "group"]),
)
def test_leave_one_out_is_the_mean_return_of_the_other_episodes(
    seed: int, time: int, episodes: int, agents: int, pool: str
) -> None:
    returns = values(seed, time, episodes, agents)
    found = leave_one_out(returns, "agent" if pool == "agent" else "group")
    np.testing.assert_allclose(found, reference.baseline(returns, range(agents), pool), atol=1e-12)
    assert found.shape == returns.shape


def test_leave_one_out_of_one_episode_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        leave_one_out(np.zeros((3, 1, 2)), "agent")


def test_an_episode_that_is_over_counts_as_zero_in_the_baseline() -> None:
    returns = np.array([[4.0, 2.0, 6.0], [0.0, 2.0, 0.0]]).reshape(2, 3, 1)  # the first and the last are over by then
    found = leave_one_out(returns, "agent")[:, :, 0]
    np.testing.assert_allclose(found, [[4.0, 5.0, 3.0], [1.0, 0.0, 1.0]])


@settings(max_examples=80, deadline=None)
@given(script=scripts())
def test_a_life_lasts_from_its_first_action_to_its_end_absences_included_and_never_beyond_the_episode(
    script: Script,
) -> None:
    played = Game.of(script, configured()).play()
    np.testing.assert_array_equal(alive(played), script.alive)


@settings(max_examples=60, deadline=None)
@given(script=scripts(), team_from=st.sampled_from(["mean", "sum"]))
def test_one_number_that_is_the_teams_becomes_a_team_reward_of_those_alive(script: Script, team_from: str) -> None:
    config = configured(environment={"single_reward": "team"}, reward={"team_from": team_from})
    played = Game.of(script, config, team=ScriptedTeam(script, team_reward=False)).play()
    individual, team = split_rewards(played, config, team_given=False)
    assert not individual.any()
    for step, episode in np.ndindex(*team.shape):
        paid = [
            float(r) for r, here in zip(script.rewards[step, episode], script.alive[step, episode], strict=True) if here
        ]
        count = max(1, len(paid)) if team_from == "mean" else 1
        assert team[step, episode] == pytest.approx(sum(paid) / count)


@settings(max_examples=60, deadline=None)
@given(script=scripts(), team_from=st.sampled_from(["mean", "sum"]))
def test_a_team_reward_can_be_made_of_rewards_that_stay_the_agents_own(script: Script, team_from: str) -> None:
    config = configured(reward={"team_from": team_from})
    played = Game.of(script, config, team=ScriptedTeam(script, team_reward=False)).play()
    individual, team = split_rewards(played, config, team_given=False)
    np.testing.assert_array_equal(individual, np.where(script.alive, script.rewards, 0.0))
    for step, episode in np.ndindex(*team.shape):
        paid = individual[step, episode][script.alive[step, episode]]
        expected = (paid.mean() if team_from == "mean" else paid.sum()) if len(paid) else 0.0
        assert team[step, episode] == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(script=scripts())
def test_what_an_agent_is_paid_outside_its_lives_is_left_out(script: Script) -> None:
    played = Game.of(script, configured()).play()
    individual, team = split_rewards(played, configured(), team_given=True)
    np.testing.assert_array_equal(individual, np.where(script.alive, script.rewards, 0.0))
    np.testing.assert_array_equal(team, np.where(script.running, script.team_rewards, 0.0))
