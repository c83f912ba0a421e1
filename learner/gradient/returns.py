"""Rewards, returns and baselines of one task, in float64 NumPy, over `[time, episode, agent]`."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import BoolArray
from chorus.common.settings.config import Config
from chorus.common.tasks.trajectory import Trajectory

Values = NDArray[np.float64]


def alive(trajectory: Trajectory) -> BoolArray:
    """bool `[time, episode, agent]`: during which steps an agent's life lasts, its absences included.

    The end of an episode ends every life in it, whether the environment says so of each or not.
    """
    steps = np.arange(len(trajectory.acted))[:, None]
    if np.array_equal(
        trajectory.acted, np.broadcast_to((steps < trajectory.lengths)[:, :, None], trajectory.acted.shape)
    ):
        return trajectory.acted  # everybody acts at every step there is: nothing to fill in
    ended = trajectory.terminated | trajectory.truncated
    living = np.zeros_like(trajectory.acted)
    before = np.zeros(living.shape[1:], np.bool_)
    for step in range(len(living)):
        running = step < trajectory.lengths
        living[step] = (before & running[:, None]) | trajectory.acted[step]
        before = living[step] & ~ended[step]
    return living


def split_rewards(trajectory: Trajectory, config: Config, team_given: bool) -> tuple[Values, Values]:
    """The individual rewards `[time, episode, agent]` and the team rewards `[time, episode]`.

    Where the environment has no team reward of its own, `reward.team_from` makes one of the agents' rewards, over those
    alive; where their number is the team's already (`environment.single_reward: team`), the individual rewards are zero
    then, so that nothing counts twice. What an agent is given outside its lives is no consequence of anything it did,
    and is left out.
    """
    living = alive(trajectory)
    individual = np.where(living, trajectory.individual_rewards, 0.0).astype(np.float64)
    already_the_teams = config.environment.single_reward == "team"
    if team_given or not (already_the_teams or config.reward.team_from):
        return individual, trajectory.team_rewards.astype(np.float64)
    number = 1.0 if config.reward.team_from == "sum" else np.maximum(living.sum(axis=2), 1)
    return np.zeros_like(individual) if already_the_teams else individual, individual.sum(axis=2) / number


def discounted(rewards: Values, discount: float, ended: BoolArray | None = None) -> Values:
    """Monte-Carlo returns `G_t = r_t + discount * G_{t+1}` (Williams 1992), cut where a life ended.

    Args:
        rewards: `[time, ...]`.
        discount: gamma.
        ended: bool `[time, ...]`, where what comes later belongs to another life; None for nowhere.
    """
    returns = np.empty_like(rewards)
    later = np.zeros_like(rewards[0])
    for step in range(len(rewards) - 1, -1, -1):
        if ended is not None:
            later = np.where(ended[step], 0.0, later)
        later = rewards[step] + discount * later
        returns[step] = later
    return returns


def mixed_returns(
    individual: Values, team: Values, ended: BoolArray, weights: tuple[float, float], discount: float
) -> Values:
    """What each agent's action at each step is credited with: `w_individual G^i_t + w_team G^team_t`.

    The individual part runs to the end of the agent's life, the team part to the end of the episode, death or not: else
    an agent that dies for its team would never be credited with what that brought (Cohen et al. 2021).

    Args:
        individual: `[time, episode, agent]`.
        team: `[time, episode]`, zero after the end of an episode.
        ended: bool `[time, episode, agent]`, where a life ended.
        weights: of the individual and of the team part.
        discount: gamma.
    """
    own = discounted(individual, discount, ended)
    shared = discounted(team, discount)
    return weights[0] * own + weights[1] * shared[:, :, None]


def leave_one_out(returns: Values, pool: Literal["agent", "group"]) -> Values:
    """The mean return at the same step of the task's other episodes (Kool et al. 2019), `[time, episode, agent]`.

    `agent` averages the returns of the same agent, `group` those of all agents on the last axis. An episode that is
    over counts as zero. Episodes are independent of one another, so the baseline is independent of the action it is
    subtracted for, and leaves the gradient unbiased; the agents of ONE episode are not, and are never averaged alone.

    Raises:
        ValueError: there is only one episode.
    """
    episodes = returns.shape[1]
    if episodes < 2:
        raise ValueError("leave-one-out needs at least two episodes")
    pooled = returns.mean(axis=2, keepdims=True) if pool == "group" else returns
    others = (pooled.sum(axis=1, keepdims=True) - pooled) / (episodes - 1)
    return np.broadcast_to(others, returns.shape)
