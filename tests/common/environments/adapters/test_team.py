"""Gymnasium's environments for teams, in each of the forms that are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.adapters.team import Team
from chorus.common.environments.checks.purity import random_actions
from chorus.common.errors import EnvironmentFault

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces


class Pair:
    """Two agents for whom `step` returns what it is told to."""

    def __init__(self, answer: Callable[[int], tuple[Any, ...]]) -> None:
        self.observation_space = spaces.Tuple([spaces.Box(0, 9, (1,), np.float32)] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(3)] * 2)
        self._answer = answer
        self.told: list[Any] = []

    def reset(self, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        self.now = 0
        return self._seen(), {}

    def _seen(self) -> Any:
        return [np.array([self.now], np.float32), np.array([self.now + 1], np.float32)]

    def step(self, actions: Any) -> tuple[Any, ...]:
        self.told.append(actions)
        self.now += 1
        return (self._seen(), *self._answer(self.now))

    def close(self) -> None:
        pass


def play(answer: Callable[[int], tuple[Any, ...]], steps: int = 3) -> tuple[Lockstep, list[Any], Pair]:
    made: list[Pair] = []

    def construct(drawing: bool) -> Team:
        made.append(Pair(answer))
        return Team(made[-1], "pair")

    environment = Lockstep(construct, name="pair", package="pair 1")
    environment.reset(1, np.random.default_rng(0))
    made[0].told.clear()
    film = []
    for _ in range(steps):
        outcome = environment.step(np.ones((1, 2, 1), np.int32))
        parts = ("rewards", "team_rewards", "terminated", "truncated", "over")
        film.append({name: getattr(outcome, name)[0].tolist() for name in parts})
        film[-1]["present"] = outcome.frame.present[0].tolist()
    return environment, film, made[0]


def test_lists_of_rewards_are_the_agents_own() -> None:
    environment, film, pair = play(lambda now: ([1.0 * now, 2.0], now == 3, False, {}))
    assert not environment.spec.team_reward
    assert [step["rewards"] for step in film] == [[1, 2], [2, 2], [3, 2]]
    assert film[2]["terminated"] == [True, True] and film[2]["over"]
    assert pair.told == [(1, 1)] * 3


def test_one_number_for_all_is_the_teams() -> None:
    environment, film, _ = play(lambda now: (5.0, False, now == 3, {}))
    assert environment.spec.team_reward
    assert [step["rewards"] for step in film] == [[0, 0]] * 3
    assert [step["team_rewards"] for step in film] == [5] * 3
    assert film[2]["truncated"] == [True, True]


def test_old_gyms_four_results_are_understood() -> None:
    _, film, _ = play(lambda now: ([1.0, 1.0], [now == 3] * 2, {"TimeLimit.truncated": True} if now == 3 else {}))
    assert film[2]["truncated"] == [True, True] and not film[2]["terminated"][0]
    _, film, _ = play(lambda now: (np.array([1.0, 1.0]), now == 3, {}))
    assert film[2]["terminated"] == [True, True] and not film[2]["truncated"][0]


def test_with_a_flag_for_each_agent_they_end_one_by_one() -> None:
    _, film, pair = play(lambda now: ([1.0, 1.0], [now >= 2, now >= 3], [False, False], {}))
    assert [step["terminated"] for step in film] == [[False, False], [True, False], [False, True]]
    assert [step["present"] for step in film] == [[True, True], [False, True], [False, False]]
    assert pair.told == [(1, 1), (1, 1), (0, 1)], "who is gone stands idle"
    assert [step["rewards"] for step in film] == [[1, 1], [1, 1], [0, 1]]


def test_the_team_reward_and_masks_are_taken_from_the_one_info() -> None:
    masks = [np.array([1, 0, 1]), np.array([0, 1, 1])]
    environment, film, _ = play(lambda now: ([0.0, 0.0], now == 3, False, {"team_reward": now, "action_mask": masks}))
    assert environment.spec.team_reward and environment.spec.action_masks
    assert [step["team_rewards"] for step in film] == [1, 2, 3]


def test_tuples_of_actions_without_tuples_of_observations_are_refused() -> None:
    class Odd(Pair):
        def __init__(self) -> None:
            super().__init__(lambda now: ())
            self.observation_space = spaces.Box(0, 1, (2,))

    with pytest.raises(EnvironmentFault, match="one part for each agent"):
        Team(Odd(), "odd")


@pytest.mark.parametrize("name", ["Foraging-8x8-2p-3f-v3", "Foraging-8x8-2p-3f-coop-v3", "rware-tiny-2ag-v2"])
def test_foraging_and_warehouse_through_the_adapter_are_what_they_are_alone(name: str) -> None:
    pytest.importorskip("lbforaging" if name.startswith("F") else "rware")
    ours = make(f"gymnasium:{name}")
    theirs = gymnasium.make(name, disable_env_checker=True)
    seed = int(np.random.default_rng(3).integers(2**31, size=2)[1])
    frame = ours.reset(1, np.random.default_rng(3))
    observations, _ = theirs.reset(seed=seed)
    draw = np.random.default_rng(4)
    for _ in range(ours.spec.max_steps or 0):
        np.testing.assert_array_equal(frame.observations[0], np.stack(observations))
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        observations, rewards, terminated, truncated, _ = theirs.step(actions[0, :, 0].tolist())
        np.testing.assert_allclose(outcome.rewards[0], rewards, rtol=1e-6)
        frame = outcome.frame
        assert outcome.over[0] == (terminated or truncated)
        if outcome.over[0]:
            break
    assert outcome.over[0]


def test_where_foragers_stood_last_does_not_decide_where_they_begin() -> None:
    """Level-based foraging's own reset lets nobody begin where a player stood when the last episode ended."""
    pytest.importorskip("lbforaging")
    used, draw = make("gymnasium:Foraging-5x5-2p-1f-v3"), np.random.default_rng(0)
    for seed in range(40):
        found = used.reset(4, np.random.default_rng(seed)).observations.copy()
        fresh = make("gymnasium:Foraging-5x5-2p-1f-v3").reset(4, np.random.default_rng(seed)).observations
        np.testing.assert_array_equal(found, fresh)
        for _ in range(3):
            used.step(draw.integers(0, 6, (4, 2, 1)).astype(np.int32))


def test_an_environment_that_can_only_open_windows_is_never_asked_to_draw() -> None:
    def answer(now: int) -> tuple[Any, ...]:
        return [0.0, 0.0], now == 3, False, {}

    class Window(Pair):
        render_mode = None

        def render(self) -> None:
            raise AssertionError("a window would open")

    environment = Lockstep(lambda drawing: Team(Window(answer), "w"), name="w", package="w", render=True)
    environment.reset(1, np.random.default_rng(0))
    assert environment.render() is None


def test_a_single_agent_is_a_team_of_one() -> None:
    environment = make("gymnasium:CartPole-v1")
    assert [agent.name for agent in environment.spec.agents] == ["agent_0"]
    assert environment.spec.max_steps == 500 and not environment.spec.team_reward
    environment.reset(2, np.random.default_rng(0))
    assert environment.step(np.ones((2, 1, 1), np.int32)).rewards.tolist() == [[1], [1]]


def test_unknown_names_and_settings_are_explained() -> None:
    pytest.importorskip("lbforaging")
    with pytest.raises(EnvironmentFault, match="did you mean 'Foraging-8x8-2p-3f-v3'"):
        make("gymnasium:Foraging-8x8-2p-3f-v2")
    with pytest.raises(EnvironmentFault, match=r"refuses its settings.*penlty"):
        make("gymnasium:Foraging-8x8-2p-3f-v3?penlty=0.1")
    make("gymnasium:Foraging-8x8-2p-3f-v3?penalty=0.1")
    make("gymnasium:lbforaging:Foraging-8x8-2p-3f-v3")
