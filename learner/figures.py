"""What happened in episodes: counts and undiscounted returns, for the record and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.config import Config
from common.environment import EnvironmentSpec
from common.schedule import value_at
from common.trajectory import Trajectory
from learner.returns import split_rewards


@dataclass(frozen=True)
class Figures:
    """What happened in a task's episodes, undiscounted and summed over episodes and agents."""

    episodes: int
    env_steps: int
    agent_steps: int
    individual_return: float
    team_return: float


def figures(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> Figures:
    """Count what happened; the team return counts once for every agent of the team."""
    individual, team = split_rewards(trajectory, config, environment.team_reward)
    return Figures(
        episodes=len(trajectory.lengths),
        env_steps=trajectory.env_steps,
        agent_steps=trajectory.agent_steps,
        individual_return=float(individual.sum()),
        team_return=float(team.sum()) * len(environment.agents),
    )


def add_figures(parts: Sequence[Figures]) -> Figures:
    """The figures of several tasks together."""
    return Figures(
        episodes=sum(part.episodes for part in parts),
        env_steps=sum(part.env_steps for part in parts),
        agent_steps=sum(part.agent_steps for part in parts),
        individual_return=sum(part.individual_return for part in parts),
        team_return=sum(part.team_return for part in parts),
    )


def mean_returns(total: Figures, config: Config, update: int) -> tuple[float, float, float]:
    """Individual, team and mixed return per episode, the last by the weights in force at `update`."""
    individual, team = total.individual_return / total.episodes, total.team_return / total.episodes
    mixed = value_at(config.reward.individual, update) * individual + value_at(config.reward.team, update) * team
    return individual, team, mixed
