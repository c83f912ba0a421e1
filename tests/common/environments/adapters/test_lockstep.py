"""Single environments, stepped one after another: who is there, whose life ends, what they see and earn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.interface import Outcome
from chorus.common.errors import EnvironmentFault
from tests.common.environments.toys import Echo, Script


def lockstep(make: Callable[[], Any]) -> Lockstep:
    return Lockstep(lambda drawing: make(), name="toy", package="toy 1")


def play(environment: Lockstep, steps: int, episodes: int = 2) -> list[dict[str, np.ndarray]]:
    """The frames and outcomes of an episode in which everybody always does 0, copied."""
    frame = environment.reset(episodes, np.random.default_rng(0))
    film = [{"present": frame.present.copy(), "seen": frame.observations.copy()}]
    agents = len(environment.spec.agents)
    for _ in range(steps):
        outcome = environment.step(np.zeros((episodes, agents, 1), np.int32))
        film.append(
            {
                "present": outcome.frame.present.copy(),
                "seen": outcome.frame.observations.copy(),
                **{
                    name: getattr(outcome, name).copy()
                    for name in ("rewards", "team_rewards", "terminated", "truncated", "over")
                },
            }
        )
    return film


def test_agents_that_die_are_gone_and_agents_that_are_reborn_are_back() -> None:
    #                        b dies in step 2, c comes in step 3, b is reborn in step 4, all end with step 6
    film = play(
        lockstep(lambda: Script(["ab", "ab", "a", "ac", "abc", "abc", ""], dies={2: "b", 6: "a"}, cut={6: "bc"})), 6
    )
    for k in range(2):
        assert [moment["present"][k].tolist() for moment in film] == [
            [True, True, False],
            [True, True, False],
            [True, False, False],
            [True, False, True],
            [True, True, True],
            [True, True, True],
            [False, False, False],
        ]
        assert film[2]["terminated"][k].tolist() == [False, True, False]
        assert film[6]["terminated"][k].tolist() == [True, False, False]
        assert film[6]["truncated"][k].tolist() == [False, True, True]
        assert [moment["over"][k] for moment in film[1:]] == [False] * 5 + [True]
        assert film[2]["rewards"][k].tolist() == [20, 21, 0], "the step that kills still counts"
        assert film[3]["rewards"][k].tolist() == [30, 0, 0], "the dead earn nothing of their own"
        assert film[6]["seen"][k, 1].tolist() == [2, 6], "what a truncated agent saw last is kept"


def test_only_those_who_are_present_are_asked_to_act() -> None:
    made: list[Script] = []

    def make() -> Script:
        made.append(Script(["ab", "b", "bc", ""], dies={1: "a", 3: "bc"}))
        return made[-1]

    play(lockstep(make), 3)
    for single in made:
        assert [sorted(actions) for actions in single.told] == [["a", "b"], ["b"], ["b", "c"]]


def test_episodes_of_different_lengths_end_each_in_its_own_time() -> None:
    lengths = iter([3, 5])
    environment = lockstep(lambda: Script(["a"] * (length := next(lengths)) + [""], cut={length: "a"}))
    film = play(environment, 5)
    assert [moment["over"].tolist() for moment in film[1:]] == [[False, False]] * 2 + [[True, False]] * 2 + [
        [True, True]
    ]
    assert [moment["rewards"][0, 0] for moment in film[1:]] == [10, 20, 30, 0, 0], "what is over earns no more"


def test_an_environment_that_never_clears_its_list_of_agents_ends_all_the_same() -> None:
    film = play(lockstep(lambda: Script(["ab", "ab", "ab", "ab"], dies={2: "a", 3: "ab"})), 3)
    assert film[2]["present"][0].tolist() == [False, True, False]
    assert film[3]["terminated"][0].tolist() == [False, True, False], "a dead agent does not die again"
    assert film[3]["over"].all()


def test_agents_merely_not_shown_anything_keep_their_life() -> None:
    class InTurns(Script):
        def _view(self) -> dict[str, Any]:
            return {"ab"[self.now % 2]: np.zeros(2, np.float32)} if self.agents else {}

    film = play(lockstep(lambda: InTurns(["ab", "ab", "ab", ""], dies={3: "ab"})), 3)
    assert [moment["present"][0].tolist() for moment in film] == [
        [True, False, False],
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]
    assert not film[1]["terminated"].any() and not film[2]["terminated"].any()
    assert film[3]["terminated"][0].tolist() == [True, True, False], "absent or not, the end is everybody's"


def test_the_team_reward_is_taken_from_the_info() -> None:
    class Paying(Script):
        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            *rest, _ = super().step(actions)
            return (*rest, {"b": {}, "a": {"team_reward": 7.0 * self.now}})

    environment = lockstep(lambda: Paying(["ab", "ab", ""], cut={2: "ab"}))
    assert environment.spec.team_reward
    assert [moment["team_rewards"].tolist() for moment in play(environment, 2)[1:]] == [[7, 7], [14, 14]]
    assert not lockstep(lambda: Script(["a", ""])).spec.team_reward


def test_a_team_reward_that_comes_late_is_a_fault_and_not_dropped_in_silence() -> None:
    class Late(Script):
        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            *rest, _ = super().step(actions)
            return (*rest, {"a": {"team_reward": 1.0}} if self.now == 2 else {})

    with pytest.raises(EnvironmentFault, match=r"team_reward.*every step"):
        play(lockstep(lambda: Late(["a", "a", ""])), 2)


@pytest.mark.parametrize("where", ["observation", "info"])
def test_action_masks_are_found_beside_the_observation_and_in_the_info(where: str) -> None:
    from gymnasium import spaces

    def mask(now: int) -> np.ndarray:
        return np.array([now % 3 != i for i in range(3)], np.int8)

    class Masked(Script):
        def observation_space(self, agent: str) -> Any:
            plain = super().observation_space(agent)
            if where == "info":
                return plain
            return spaces.Dict({"action_mask": spaces.MultiBinary(3), "observation": plain})

        def _view(self) -> dict[str, Any]:
            plain = super()._view()
            if where == "info":
                return plain
            return {name: {"action_mask": mask(self.now), "observation": seen} for name, seen in plain.items()}

        def _infos(self) -> dict[str, Any]:
            return {name: {"action_mask": mask(self.now)} for name in self.agents} if where == "info" else {}

        def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
            return super().reset(seed)[0], self._infos()

        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            return (*super().step(actions)[:4], self._infos())

    environment = lockstep(lambda: Masked(["ab", "ab", "ab", ""], cut={3: "ab"}))
    assert environment.spec.action_masks
    assert environment.spec.agents[0].observation_shape == (2,), "the mask is no part of the observation"
    frame = environment.reset(1, np.random.default_rng(0))
    for now in range(3):
        assert frame.action_mask is not None
        assert (frame.action_mask[0, :2] == mask(now)).all()
        frame = environment.step(np.full((1, 3, 1), (now + 1) % 3, np.int32)).frame


def test_an_agent_that_was_never_announced_is_named() -> None:
    class Stranger(Script):
        def __init__(self) -> None:
            super().__init__(["ab", "abc", ""])
            self.possible_agents = ["a", "b"]

    with pytest.raises(EnvironmentFault, match=r"'c'.*possible_agents"):
        play(lockstep(Stranger), 2)


def test_an_observation_of_another_shape_is_named() -> None:
    class Growing(Script):
        def _view(self) -> dict[str, Any]:
            return {name: np.zeros(2 + (self.now == 2), np.float32) for name in self.agents}

    with pytest.raises(EnvironmentFault, match=r"agent 'a': observed an array of shape \[3\].*\[2\]"):
        play(lockstep(lambda: Growing(["a", "a", "a", ""])), 3)


def test_an_error_inside_an_environment_says_which_episode_raised_it() -> None:
    class Breaking(Script):
        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            if self.now == 1:
                raise RuntimeError("the bridge is out")
            return super().step(actions)

    with pytest.raises(RuntimeError, match="the bridge is out") as caught:
        play(lockstep(lambda: Breaking(["a", "a", "a", ""])), 3)
    assert any("episode 0 of 2" in note for note in caught.value.__notes__)


def test_a_factory_that_returns_the_same_object_twice_is_refused() -> None:
    only = Script(["a", ""])
    with pytest.raises(EnvironmentFault, match="one and the same object"):
        play(lockstep(lambda: only), 1)


def test_the_first_episodes_do_not_depend_on_how_many_are_played_beside_them() -> None:
    from tests.common.environments.toys import walk

    few, many = play(lockstep(walk), 6, episodes=2), play(lockstep(walk), 6, episodes=5)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one["seen"], other["seen"][:2])
    assert (many[1]["seen"][0] != many[1]["seen"][1]).any(), "every episode has a seed of its own"


def test_agents_with_different_spaces_share_the_arrays() -> None:
    from gymnasium import spaces

    class Unlike(Script):
        def observation_space(self, agent: str) -> Any:
            return spaces.Discrete(4) if agent == "b" else super().observation_space(agent)

        def action_space(self, agent: str) -> Any:
            return spaces.MultiDiscrete([2, 6]) if agent == "b" else spaces.Discrete(3, start=1)

        def _view(self) -> dict[str, Any]:
            return super()._view() | ({"b": 3} if "b" in self.agents else {})

    made: list[Script] = []

    def make() -> Script:
        made.append(Unlike(["abc", "abc", ""], cut={2: "abc"}))
        return made[-1]

    environment = lockstep(make)
    spec = environment.spec
    assert (spec.observation_size, spec.action_size, spec.choice_size) == (4, 2, 8)
    frame = environment.reset(1, np.random.default_rng(0))
    assert frame.observations[0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [3, 0, 0, 0]]
    environment.step(np.array([[[2, 0], [1, 5], [0, 0]]], np.int32))
    told = made[0].told[0]
    assert (told["a"], told["b"].tolist(), told["c"]) == (3, [1, 5], 1)


def test_discrete_and_continuous_agents_together_are_refused() -> None:
    from gymnasium import spaces

    class Mixed(Script):
        def action_space(self, agent: str) -> Any:
            return spaces.Box(-1, 1, (2,)) if agent == "b" else spaces.Discrete(3)

    with pytest.raises(EnvironmentFault, match="'a' acts discretely and 'b' continuously"):
        lockstep(lambda: Mixed(["ab", ""]))


def test_continuous_actions_reach_the_environment_in_its_own_shape() -> None:
    from gymnasium import spaces

    made: list[Echo] = []

    def make() -> Echo:
        made.append(Echo(spaces.Box(0, 1, (1,)), spaces.Box(-2, 3, (2, 2))))
        return made[-1]

    environment = lockstep(make)
    assert environment.spec.agents[0].bounds == ((-2.0, 3.0),) * 4
    environment.reset(1, np.random.default_rng(0))
    outcome: Outcome = environment.step(np.array([[[-2, -1, 0.5, 3]]], np.float32))
    assert made[0].told[0]["a"].tolist() == [[-2, -1], [0.5, 3]]
    assert not outcome.over.any()
