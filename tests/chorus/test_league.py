"""`chorus league`: each version plays the seats that the table says, against the version that it says."""

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion
from chorus.common.policy.weights import make as version
from chorus.common.settings import config as configuration
from chorus.evaluation.league import side_returns, told
from chorus.learner.update.training import first_version

SETTINGS = {
    "environment": {"spec": "pettingzoo:classic.tictactoe_v3"},
    "network": {"channels": [], "encoder": 8, "lstm": 8},
    "task": {"episodes": 20},
    "opponents": {"player_1": "past"},
}


def test_what_one_side_wins_the_other_loses_and_the_versions_keep_their_seats() -> None:
    environment = make("pettingzoo:classic.tictactoe_v3")
    config = configuration.resolve(configuration.check(SETTINGS), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)

    def preferring(cells: list[int]) -> PolicyVersion:
        tensors = first_version(config, policies).tensors()
        tensors["all/head.bias"] = np.zeros(9, np.float32)
        tensors["all/head.bias"][cells] = [200.0 - 50.0 * place for place in range(len(cells))]
        return version(0, tensors)

    row, blind = preferring([0, 1, 2, 3, 4, 5, 6, 7, 8]), preferring([8, 5, 3, 7, 6, 4, 2, 1, 0])
    first = side_returns(config, environment, "player_1", (row, blind), 20, seed=1)
    second = side_returns(config, environment, "player_2", (blind, row), 20, seed=1)
    environment.close()
    assert first.shape == second.shape == (20,)
    assert first.mean() == pytest.approx(1.0), "0, 1, 2 before 8, 5, 3"
    assert second.mean() == pytest.approx(-1.0)


def test_the_interval_of_a_gain_is_that_of_episodes_not_of_pairs() -> None:
    episodes = np.array([1.0, 2.0, 3.0, 6.0])
    half = 1.96 * episodes.std(ddof=1) / 2.0
    assert told(episodes[None]) == told(np.stack([episodes] * 9)) == f"+3.00 ± {half:.2f}"
    assert told(np.ones((3, 1))).endswith("± inf"), "one episode tells nothing of the spread"
