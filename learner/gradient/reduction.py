"""From the summed loss of some tasks to their mean: what it is divided by (`loss.reduction`)."""

from __future__ import annotations

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config


def divisor(
    spec: PolicySpec, steps: int, lives: int, tasks: int, environment: EnvironmentSpec, config: Config
) -> float:
    """Z: what the summed loss of some tasks is divided by.

    `mean`, `sequential`: their agent-steps (a ratio of two random numbers, so biased by O(1/episodes) where lengths
    vary); `agent_mean`: their lives; `fixed`: the most agent-steps they could have (unbiased); `sum`: 1.
    """
    reduction = config.loss.reduction
    if reduction in ("mean", "sequential"):
        return float(max(1, steps))
    if reduction == "agent_mean":
        return float(max(1, lives))
    if reduction == "fixed":
        if environment.max_steps is None:
            raise ValueError("loss.reduction fixed needs an environment that states its longest episode")
        return float(config.episodes * tasks * len(spec.agents) * environment.max_steps)
    return 1.0
