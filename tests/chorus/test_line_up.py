"""An evaluation may set a side against opponents that have learned nothing."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.common.environments import make as make_environment
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.evaluation.evaluate import play, summarise
from chorus.evaluation.line_up import line_up
from chorus.learner.update.training import first_version
from tests.playground import settings, tensors_for

SPEC = "spread?agents=3&steps=5"
GROUPS = {"mode": "groups", "groups": {"first": "agent_0", "rest": "agent_*"}}


def run(**sharing: object) -> tuple[Config, PolicyVersion]:
    """A run's configuration, and weights far from those it began with."""
    config = settings(environment={"spec": SPEC}, sharing=sharing, task={"episodes": 4}, seed=7)
    environment = make_environment(SPEC)
    config = configuration.resolve(config, environment.spec)
    return config, make(9, tensors_for(divide(environment.spec, config.sharing, config.network), config, seed=99))


def test_nobody_untrained_is_the_run_as_it_is() -> None:
    config, policy = run()
    sides = line_up(config, make_environment(SPEC).spec, policy, None)
    assert sides.version is policy and [side.name for side in sides.policies] == ["all"]


def test_the_untrained_play_by_the_weights_that_the_run_began_with() -> None:
    config, policy = run(**GROUPS)
    spec = make_environment(SPEC).spec
    sides = line_up(config, spec, policy, "agent_[12]")
    assert [(side.name, side.agents) for side in sides.policies] == [("first", (0,)), ("rest untrained", (1, 2))]
    tensors, first = (
        sides.version.tensors(),
        first_version(config, divide(spec, config.sharing, config.network)).tensors(),
    )
    for name, value in first.items():
        if name.startswith("rest/"):
            assert tensors[name.replace("rest/", "rest untrained/")].tobytes() == value.tobytes()
    assert tensors["first/head.weight"].tobytes() == policy.tensors()["first/head.weight"].tobytes()


def test_a_policy_that_serves_both_sides_is_divided_between_them() -> None:
    config, policy = run()
    sides = line_up(config, make_environment(SPEC).spec, policy, "agent_1")
    assert [(side.name, side.agents) for side in sides.policies] == [("all", (0, 2)), ("all untrained", (1,))]


def test_all_untrained_is_version_0() -> None:
    config, policy = run()
    spec = make_environment(SPEC).spec
    first = first_version(config, divide(spec, config.sharing, config.network))
    before = play(config, policy, 6, 3, False, untrained="*")
    expected = play(config, first, 6, 3, False)
    np.testing.assert_array_equal(before["mixed_return"], expected["mixed_return"])
    assert (before["mixed_return"] != play(config, policy, 6, 3, False)["mixed_return"]).any()


def test_the_returns_of_sides_and_agents_add_up() -> None:
    config, policy = run()
    measured = play(config, policy, 6, 3, False, untrained="agent_1")
    by_agent = [measured[f"mixed_return of agent_{number}"] for number in range(3)]
    np.testing.assert_allclose(by_agent[0] + by_agent[2], measured["mixed_return of all"])
    np.testing.assert_allclose(by_agent[1], measured["mixed_return of all untrained"])
    np.testing.assert_allclose(sum(by_agent), measured["mixed_return"])
    assert "mixed_return of all" not in play(config, policy, 6, 3, False), "one policy alone is everybody"


@pytest.mark.parametrize(
    ("sharing", "pattern", "words"),
    [
        ({}, "knight_*", "'knight_\\*' matches none of agent_0, agent_1, agent_2"),
        (
            {"mode": "all_with_id"},
            "agent_0",
            "cannot be divided; give a pattern that matches all of its agents or none",
        ),
    ],
)
def test_what_cannot_be_lined_up_is_explained(sharing: dict[str, object], pattern: str, words: str) -> None:
    config, policy = run(**sharing)
    with pytest.raises(ConfigError, match=words):
        line_up(config, make_environment(SPEC).spec, policy, pattern)


def test_a_run_from_anothers_weights_has_no_beginning_of_its_own() -> None:
    config, policy = run()
    config = configuration.check(configuration.to_dict(config) | {"initial_weights": "ab" * 32})
    with pytest.raises(ConfigError, match="evaluate that one"):
        line_up(config, make_environment(SPEC).spec, policy, "*")


def test_a_summary_has_the_interval_of_the_mean_and_that_of_the_episodes() -> None:
    values = np.arange(101, dtype=np.float64)
    told = summarise(values)
    assert told["mean"] == 50.0 and (told["low"], told["high"]) == (2.5, 97.5)
    assert told["confidence_95"] == pytest.approx(1.96 * values.std(ddof=1) / np.sqrt(101))
