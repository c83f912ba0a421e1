"""What `check-env` says that a task weighs and that instances cost is what they then weigh and cost."""

from __future__ import annotations

import re

import pytest

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.checks.weight import MEGABYTE, weights
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import make as version
from chorus.common.settings.config import Config, resolve
from tests.common.environments.toys import Walk
from tests.playground import tensors_for, training_task


def told(topic: str, *given: object) -> str:
    """What is said of a topic."""
    return next(remark.text for remark in weights(*given) if remark.topic == topic)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", ["spread?agents=3", "spread?agents=40&steps=50"])
def test_a_task_weighs_what_is_said_of_it(spec: str) -> None:
    environment = make(spec)
    config = resolve(Config(), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)
    player = Player(environment, policies, 0)
    played = player.play(version(0, tensors_for(policies, config)), training_task(), config.episodes)
    said = re.search(r"K = (\d+) episodes, which weigh up to ([\d.,]+) MB", told("task", environment, [0.1], 0, 1))
    assert said is not None and int(said[1]) == config.episodes
    weighed = sum(array.nbytes for array in played.arrays.values())
    assert float(said[2]) == pytest.approx(weighed / MEGABYTE, rel=0.02)


def test_the_first_instance_is_told_of_apart_from_those_that_need_no_imports() -> None:
    environment = Lockstep(lambda drawing: Walk(), name="walk", package="toy 1")
    try:
        text = told("instances", environment, [9.0, 0.5], 30 * MEGABYTE, 1)
    finally:
        environment.close()
    number = re.search(r"an actor makes (\d+)", text)
    assert number is not None
    assert "the first takes 9.00 s with its imports, another one 0.50 s, and one takes at most 30 MB" in text
    assert f"{9.0 + 0.5 * (int(number[1]) - 1):,.1f} s" in text
