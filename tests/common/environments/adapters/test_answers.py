"""What single environments answer is taken as it is or refused by name: agent, field, value; never bent to fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.errors import EnvironmentFault
from tests.common.environments.toys import Script


class Saying(Script):
    """Two agents, three steps; the second step's results are changed by `change`."""

    def __init__(self, change: Callable[[dict[str, Any]], Any] = lambda told: None, at: int = 2) -> None:
        super().__init__(["ab", "ab", "ab", ""], cut={3: "ab"})
        self.possible_agents = ["a", "b"]
        self._change, self._at = change, at

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        names = ("observations", "rewards", "terminations", "truncations", "infos")
        told: dict[str, Any] = dict(zip(names, super().step(actions), strict=True))
        if self.now == self._at:
            self._change(told)
        return tuple(told.values())


def played(make: Callable[[], Any]) -> np.ndarray:
    """The rewards of an episode, `[step, agent]`."""
    environment = Lockstep(lambda drawing: make(), name="toy", package="toy 1")
    frame = environment.reset(1, np.random.default_rng(0))
    rewards = []
    while frame.present.any():
        outcome = environment.step(np.zeros((1, len(environment.spec.agents), 1), np.int32))
        rewards.append(outcome.rewards[0].copy())
        frame = outcome.frame
    return np.array(rewards)


def put(field: str, value: Any, name: str = "b") -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        told[field][name] = value

    return change


@pytest.mark.parametrize(
    "reward",
    [np.array([1.5], np.float32), np.array([[1.5]]), np.float16(1.5), [1.5], np.array(1.5), np.float64(1.5)],
    ids=repr,
)
def test_any_form_of_one_number_is_a_reward(reward: Any) -> None:
    assert played(lambda: Saying(put("rewards", reward)))[1].tolist() == [20.0, 1.5]


@pytest.mark.parametrize(
    "reward",
    [
        None,
        "1.5",
        np.array([1.0, 2.0]),
        {},
        1j,
        [1.0, [2.0]],
        np.array(["1"]),
        b"1",
        pytest.param(object(), id="an object"),
    ],
    ids=repr,
)
def test_whatever_else_is_no_reward_and_agent_field_and_value_are_named(reward: Any) -> None:
    with pytest.raises(EnvironmentFault, match=r"'toy', agent 'b': its reward is .*; give one number") as fault:
        played(lambda: Saying(put("rewards", reward)))
    assert repr(reward)[:20] in str(fault.value)


@pytest.mark.parametrize("flag", [1, np.True_, np.array([True]), np.array(1), 1.0], ids=repr)
def test_any_form_of_true_ends_a_life(flag: Any) -> None:
    assert played(lambda: Saying(put("terminations", flag)))[:, 1].tolist() == [11.0, 21.0, 0.0]


@pytest.mark.parametrize("field", ["terminations", "truncations"])
@pytest.mark.parametrize("flag", [None, "False", np.array([True, False]), 2, {}], ids=repr)
def test_whatever_else_is_no_flag(field: str, flag: Any) -> None:
    with pytest.raises(EnvironmentFault, match=r"agent 'b': (terminated|truncated) is .*; give True or False"):
        played(lambda: Saying(put(field, flag)))


@pytest.mark.parametrize("field", ["rewards", "terminations", "truncations"])
def test_an_agent_that_acted_and_is_told_nothing_of_is_named(field: str) -> None:
    def forget(told: dict[str, Any]) -> None:
        del told[field]["a"]

    with pytest.raises(EnvironmentFault, match=f"agent 'a': it acted, but has no entry in the {field}"):
        played(lambda: Saying(forget))


@pytest.mark.parametrize(
    "infos", [None, {}, {"a": None, "b": {}}, {"a": {"note": "of no interest"}}], ids=["None", "empty", "some", "note"]
)
def test_infos_may_be_lacking(infos: Any) -> None:
    played(lambda: Saying(lambda told: told.update(infos=infos)))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("infos", [{}, {}], r"'toy': infos is \[\{\}, \{\}\]; give a dictionary by agent"),
        ("infos", {"a": "done", "b": {}}, r"agent 'a': its info is 'done'; give a dictionary"),
        ("rewards", [1.0, 2.0], r"'toy': rewards is \[1.0, 2.0\]; give a dictionary by agent"),
        ("observations", None, r"'toy': observations is None; give a dictionary by agent"),
        ("observations", {"a": None, "b": np.zeros(2)}, r"agent 'a': observed None, which is no array of numbers"),
        ("observations", {"a": ["x", "y"], "b": np.zeros(2)}, r"agent 'a': observed \['x', 'y'\], which is no array"),
        ("observations", {"a": [[1], [1, 2]], "b": np.zeros(2)}, r"agent 'a': observed \[\[1\], \[1, 2\]\], which is"),
    ],
)
def test_what_is_no_dictionary_or_no_array_is_named(field: str, value: Any, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        played(lambda: Saying(lambda told: told.update({field: value})))


@pytest.mark.parametrize("results", [None, (1, 2, 3), ({}, {}, {}, {})], ids=repr)
def test_a_step_that_returns_something_else_is_told_what_to_return(results: Any) -> None:
    class Odd(Saying):
        def step(self, actions: dict[str, Any]) -> Any:
            return results if self.now == 1 else super().step(actions)

    with pytest.raises(EnvironmentFault, match=r"step returned .*; return \(observations, rewards, terminations"):
        played(lambda: Odd())


@pytest.mark.parametrize("results", [{}, None], ids=repr)
def test_a_reset_that_returns_something_else_is_told_what_to_return(results: Any) -> None:
    class Odd(Saying):
        def reset(self, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed)
            return results

    with pytest.raises(EnvironmentFault, match=r"reset returned .*; return \(observations, infos\)"):
        played(lambda: Odd())


class Named(Script):
    """Agents of any names."""

    def __init__(self, names: list[Any]) -> None:
        super().__init__([])
        self.possible_agents = names

    def _view(self) -> dict[Any, Any]:
        return {name: np.zeros(2, np.float32) for name in self.agents}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.now, self.agents = 0, list(self.possible_agents)
        return self._view(), {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.now += 1
        over = dict.fromkeys(actions, self.now == 2)
        rewards = {name: float(place) for place, name in enumerate(actions)}
        return self._view(), rewards, over, dict.fromkeys(actions, False), {}


@pytest.mark.parametrize("names", [[0, 1], [("red", 1), ("blue", 1)], ["a", 2, None], [frozenset({1}), 3.5]], ids=repr)
def test_agents_may_have_names_of_any_kind_that_can_be_a_key(names: list[Any]) -> None:
    assert played(lambda: Named(names)).tolist() == [list(map(float, range(len(names))))] * 2
    environment = Lockstep(lambda drawing: Named(names), name="toy", package="toy 1")
    assert [agent.name for agent in environment.spec.agents] == list(map(str, names))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "a"], "possible_agents holds 'a' and 'a', which are one name"),
        ([0, "0"], "possible_agents holds 0 and '0', which are one name"),
        ([["a"], ["b"]], r"agent \['a'\] in possible_agents cannot be a dictionary's key"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(names: list[Any], words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        Lockstep(lambda drawing: Named(names), name="toy", package="toy 1")


def test_every_instance_is_closed_though_one_of_them_refuses() -> None:
    made: list[Any] = []

    class Closing(Saying):
        closed = False

        def close(self) -> None:
            self.closed = True
            if self is made[0]:
                raise RuntimeError("the licence server is gone")

    def make() -> Any:
        made.append(Closing())
        return made[-1]

    environment = Lockstep(lambda drawing: make(), name="toy", package="toy 1")
    environment.reset(3, np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="licence"):
        environment.close()
    assert [one.closed for one in made] == [True] * 3


def test_an_instance_that_cannot_be_understood_is_closed() -> None:
    made: list[Any] = []

    class Closing(Named):
        closed = False

        def close(self) -> None:
            self.closed = True

    def make() -> Any:
        made.append(Closing(["a", "a"]))
        return made[-1]

    with pytest.raises(EnvironmentFault):
        Lockstep(lambda drawing: make(), name="toy", package="toy 1")
    assert made[0].closed
