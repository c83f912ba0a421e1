"""`sequential` steps each agent's policy by that agent alone."""

from __future__ import annotations

from typing import Any

import pytest

from chorus.common.settings import config as configuration
from chorus.studies.run import train


def weights(reduction: str, optimiser: dict[str, Any]) -> bytes:
    settings: dict[str, Any] = {"updates": 3, "task": {"episodes": 4}, "sharing": {"mode": "none"}}
    settings |= {"loss": {"reduction": reduction, "baseline": "leave_one_out"}, "optimiser": optimiser}
    settings |= {"update": {"passes": 1}}
    return train(configuration.check(settings)).current.data


@pytest.mark.parametrize(
    "optimiser", [{"name": "sgd", "learning_rate": 0.01}, {"name": "adam"}, {"name": "rmsprop", "momentum": 0.5}]
)
def test_with_a_policy_per_agent_one_after_the_other_is_all_at_once(optimiser: dict[str, Any]) -> None:
    assert weights("sequential", optimiser) == weights("mean", optimiser)
