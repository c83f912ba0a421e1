"""What happened in episodes: counts and undiscounted returns, for the record and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.returns import split_rewards


@dataclass(frozen=True)
class EpisodeTotals:
    """What happened in a task's episodes, undiscounted and summed over episodes and agents."""

    episodes: int
    env_steps: int
    agent_steps: int
    individual_return: float
    team_return: float


def episode_totals(trajectory: Trajectory, environment: EnvironmentSpec, config: Config) -> EpisodeTotals:
    """Count what happened; the team return counts once for every agent of the team."""
    individual, team = split_rewards(trajectory, config, environment.team_reward)
    return EpisodeTotals(
        episodes=len(trajectory.lengths),
        env_steps=trajectory.env_steps,
        agent_steps=trajectory.agent_steps,
        individual_return=float(individual.sum()),
        team_return=float(team.sum()) * len(environment.agents),
    )


def add_totals(parts: Sequence[EpisodeTotals]) -> EpisodeTotals:
    """The figures of several tasks together."""
    return EpisodeTotals(
        episodes=sum(part.episodes for part in parts),
        env_steps=sum(part.env_steps for part in parts),
        agent_steps=sum(part.agent_steps for part in parts),
        individual_return=sum(part.individual_return for part in parts),
        team_return=sum(part.team_return for part in parts),
    )


def mean_returns(total: EpisodeTotals, config: Config, update: int) -> tuple[float, float, float]:
    """Individual, team and mixed return per episode, the last by the weights in force at `update`."""
    individual, team = total.individual_return / total.episodes, total.team_return / total.episodes
    mixed = value_at(config.reward.individual, update) * individual + value_at(config.reward.team, update) * team
    return individual, team, mixed
