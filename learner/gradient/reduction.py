"""From the sums of some tasks to their gradient: added up in the order of tasks, and divided by Z
(`loss.reduction`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.network import Network


def divisor(spec: PolicySpec, sums: Sequence[StepSums], environment: EnvironmentSpec, config: Config) -> float:
    """Z: what the summed loss of some tasks is divided by.

    `mean`, `sequential`: their agent-steps (a ratio of two random numbers, so biased by O(1/episodes) where lengths
    vary); `agent_mean`: their lives; `fixed`: the most agent-steps they could have (unbiased); `sum`: 1.
    """
    reduction = config.loss.reduction
    if reduction in ("mean", "sequential"):
        return float(max(1, sum(part.steps for part in sums)))
    if reduction == "agent_mean":
        return float(max(1, sum(part.lives for part in sums)))
    if reduction == "fixed":
        if environment.max_steps is None:
            raise ValueError("loss.reduction fixed needs an environment that states its longest episode")
        return float(config.episodes * len(sums) * len(spec.agents) * environment.max_steps)
    return 1.0


def reduce(network: Network, sums: Sequence[StepSums], z: float) -> Tensor:
    """The gradient of some tasks, flat: their sums in the order of tasks, in float64, over Z."""
    total = torch.zeros_like(network.flat, dtype=torch.float64)
    for part in sums:
        if part.gradient is not None:
            total += part.gradient
    return (total / z).to(network.flat.dtype)
