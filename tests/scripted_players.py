"""Programs that play for opponents in the tests: good ones, and ones that break the rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from chorus.common.environments.interface import AgentSpec
from chorus.common.environments.scripts import Act

NO_FUNCTION = 3


def first_allowed(agent: AgentSpec) -> Act:
    """The first choice that the mask allows."""
    return lambda observation, mask, rng: 0 if mask is None else int(np.flatnonzero(mask)[0])


def by_chance(agent: AgentSpec) -> Act:
    """Any allowed choice."""

    def act(observation: Any, mask: Any, rng: np.random.Generator) -> int:
        return int(rng.choice(np.flatnonzero(mask))) if mask is not None else int(rng.integers(agent.choices[0]))

    return act


def counting(agent: AgentSpec) -> Act:
    """0, 1, 2, 0, … from the beginning of each life: what it remembers shows."""
    steps = iter(range(1 << 30))
    return lambda observation, mask, rng: next(steps) % agent.choices[0]


def half_way(agent: AgentSpec) -> Act:
    """The middle of every component."""
    return lambda observation, mask, rng: [(low + high) / 2 for low, high in agent.bounds]


def too_large(agent: AgentSpec) -> Act:
    """A choice that there is none of."""
    return lambda observation, mask, rng: 99


def raising(agent: AgentSpec) -> Act:
    """Nothing."""

    def act(observation: Any, mask: Any, rng: np.random.Generator) -> int:
        raise KeyError("lost")

    return act


def leaving(agent: AgentSpec) -> Act:
    """Nothing, and would end the process."""

    def act(observation: Any, mask: Any, rng: np.random.Generator) -> int:
        raise SystemExit(0)

    return act
