"""Evaluation from Python: fresh episodes by a run's policy, as `chorus evaluate` plays them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from chorus.api.command import answer, folder
from chorus.common.errors import ConfigError


@dataclass(frozen=True)
class Measure:
    """One quantity over the episodes played.

    Attributes:
        mean: over episodes.
        deviation: standard deviation over episodes.
        confidence_95: half-width of the mean's 95 % confidence interval (normal approximation).
        low: 95 % of the episodes lie between this
        high: and this.
    """

    mean: float
    deviation: float
    confidence_95: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} +- {self.confidence_95:.3f}"


@dataclass(frozen=True)
class Evaluation:
    """What a policy reached: `evaluation["mixed_return"].mean`.

    Attributes:
        episodes: how many were played.
        seed: of these episodes.
        greedy: whether with the most likely actions.
        policy_version: the update that made the weights.
        measures: by name; returns are summed over agents. `mixed_return` is the return that is trained on,
            `individual_return` and `team_return` are its two parts, `episode_length` is in steps; with several policies
            also `mixed_return of NAME` of each policy and each agent.
    """

    episodes: int
    seed: int
    greedy: bool
    policy_version: int
    measures: Mapping[str, Measure]

    def __getitem__(self, name: str) -> Measure:
        return self.measures[name]


def evaluate(
    run: str | os.PathLike[str],
    *,
    episodes: int = 100,
    seed: int = 0,
    greedy: bool = False,
    untrained: str | None = None,
) -> Evaluation:
    """Play fresh episodes with the newest policy of a run, in a process of its own.

    The numbers are those that `chorus evaluate` prints: equal seeds give equal episodes.

    Args:
        run: the run folder.
        episodes: how many, at least 1.
        seed: of these episodes.
        greedy: take the most likely action instead of a sample.
        untrained: glob pattern of agents that play with the initial weights of the run; None for no agent.

    Raises:
        ChorusError: the folder holds no run or no weights, or the environment cannot be made.
    """
    if episodes < 1:
        raise ConfigError(f"episodes is {episodes}: give at least 1")
    arguments = ["--episodes", episodes, "--seed", seed, *(["--greedy"] if greedy else [])]
    if untrained is not None:
        arguments.append(f"--untrained={untrained}")
    told = json.loads(answer("evaluate", folder(run), *arguments, "--json"))
    measures = {name: Measure(**numbers) for name, numbers in told.items() if isinstance(numbers, dict)}
    return Evaluation(told["episodes"], told["seed"], told["greedy"], told["policy_version"], measures)
