"""How many bytes a configuration needs at the least, reckoned before any of them are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from chorus.common.errors import ConfigError
from chorus.common.policy.layout import layout
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config

FLOAT = 4
OPTIMISER_VECTORS = {"adam": 2, "rmsprop": 2}
USABLE = 0.9
"""The share of a machine's memory that a learner can hope for."""
GIBIBYTE = 2**30


def parameters(policies: Sequence[PolicySpec], config: Config) -> int:
    """How many trainable numbers there are."""
    return sum(prod(draw.shape) for spec in policies for draw in layout(spec, config).values())


def refuse_too_large(config: Config, policies: Sequence[PolicySpec], trajectories: int, memory: int) -> None:
    """See that weights, a batch's gradients and its trajectories can be held at all.

    Args:
        config: resolved.
        policies: who acts by what.
        trajectories: bytes that a batch's trajectories may have in memory.
        memory: bytes that there are.

    Raises:
        ConfigError: they cannot; names what takes the most, its setting and the bytes.
    """
    weights = FLOAT * parameters(policies, config)
    vectors = 2 + OPTIMISER_VECTORS.get(config.optimiser.name, 1) + config.lag + 1  # itself, its gradient, …, versions
    needs = {
        f"weights, with network.encoder {config.network.encoder} and network.lstm {config.network.lstm}": (
            weights * vectors
        ),
        f"the gradients of a batch, with update.tasks {config.tasks}": weights * config.tasks,
        f"a batch's trajectories, with task.episodes {config.episodes} and update.tasks {config.tasks}": trajectories,
    }
    total = sum(needs.values())
    if total > USABLE * memory:
        what = max(needs, key=needs.__getitem__)
        elsewhere = ", or name a folder of a disk for them in learner.spill" if needs[what] == trajectories else ""
        raise ConfigError(
            f"this needs at least {total / GIBIBYTE:,.1f} GiB of memory, but there are {memory / GIBIBYTE:,.1f} GiB"
            f" here; {needs[what] / GIBIBYTE:,.1f} GiB are for {what}: lower that{elsewhere}"
        )
