"""Purpose-made single environments, in PettingZoo's parallel API unless they say otherwise."""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces


class Script:
    """Agents come and go by a script; observations say (agent, step), rewards say (step, agent).

    `script[t]` names who is listed after t steps; `dies[t]` and `cut[t]` who is terminated or truncated by step t.
    """

    def __init__(
        self, script: Sequence[str], dies: dict[int, str] | None = None, cut: dict[int, str] | None = None
    ) -> None:
        self.possible_agents = ["a", "b", "c"]
        self._script, self._dies, self._cut = script, dies or {}, cut or {}
        self.told: list[dict[str, Any]] = []

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(-100, 100, (2,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def _view(self) -> dict[str, Any]:
        number = {"a": 1, "b": 2, "c": 3}
        shown = {*self.agents, *self._cut.get(self.now, "")}
        return {name: np.array([number[name], self.now], np.float32) for name in sorted(shown)}

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.now = 0
        self.told = []
        self.agents = list(self._script[0])
        return self._view(), {}

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        self.told.append(dict(actions))
        self.now += 1
        acting = list(self.agents)
        self.agents = list(self._script[self.now])
        rewards = {name: 10.0 * self.now + "abc".index(name) for name in acting}
        terminated = {name: name in self._dies.get(self.now, "") for name in acting}
        truncated = {name: name in self._cut.get(self.now, "") for name in acting}
        return self._view(), rewards, terminated, truncated, {}

    def render(self) -> Any:
        return None

    def close(self) -> None:
        pass


class Walk(Script):
    """One agent that walks at random for `length` steps; the draws come from where `source` says."""

    def __init__(self, source: str = "seed", length: int = 6) -> None:
        super().__init__(["a"] * length + [""], cut={length: "a"})
        self.possible_agents = ["a"]
        self._source = source
        self._place = 0.0

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        if self._source != "remembers" and not (self._source == "rarely" and self._place % 1.0 < 0.1):
            self._place = 0.0
        if self._source != "stream" or not hasattr(self, "_random"):
            self._random = np.random.default_rng(seed)
        return super().reset(seed)

    def _view(self) -> dict[str, Any]:
        self._place += self._draw()
        return {"a": np.array([self._place, self.now], np.float32)} if self.agents or self.now else {}

    def _draw(self) -> float:
        if self._source == "global":
            return random.random() + np.random.random()  # noqa: NPY002 - on purpose
        if self._source == "entropy":
            return random.SystemRandom().random()
        if self._source == "hash":
            return hash("place") % 1000 / 1000
        if self._source == "poison":
            return float("nan")
        return float(self._random.random())


class Echo(Script):
    """One agent with the spaces that it is given, which echoes samples and keeps what it was told."""

    def __init__(self, seen: Any, done: Any, length: int = 3) -> None:
        super().__init__(["a"] * length + [""], dies={length: "a"})
        self.possible_agents = ["a"]
        self._seen, self._done = seen, done

    def observation_space(self, agent: str) -> Any:
        return self._seen

    def action_space(self, agent: str) -> Any:
        return self._done

    def _view(self) -> dict[str, Any]:
        self._seen.seed(self.now)
        return {"a": self._seen.sample()}


def walk(source: str = "seed", length: int = 6) -> Walk:
    """A factory, as users write them."""
    return Walk(source, length)


class Growing(Script):
    """Its observation grows in the third step."""

    def _view(self) -> dict[str, Any]:
        return {name: np.zeros(2 + (self.now == 2), np.float32) for name in self.agents}


class Breaking(Script):
    """It raises in the third step."""

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        if self.now == 2:
            raise RuntimeError("the bridge is out")
        return super().step(actions)


class Barred(Script):
    """Its action mask allows nothing in the third step."""

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return super().reset(seed)[0], self._infos()

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        return (*super().step(actions)[:4], self._infos())

    def _infos(self) -> dict[str, Any]:
        return {name: {"action_mask": np.full(3, self.now != 2)} for name in self.agents}


class Lively(Script):
    """Agents die and are reborn, and in the last but one step `c` is shown nothing."""

    def __init__(self) -> None:
        super().__init__(["ab", "ab", "a", "ac", "abc", "abc", ""], dies={2: "b", 4: "a", 6: "abc"})

    def _view(self) -> dict[str, Any]:
        view = super()._view()
        if self.now == 5:
            view.pop("c")
        return {name: seen * 10 for name, seen in view.items()}


def growing() -> Growing:
    """Three steps."""
    return Growing(["a", "a", "a", "a", ""])


def breaking() -> Breaking:
    """Three steps."""
    return Breaking(["a", "a", "a", "a", ""])


def barred() -> Barred:
    """Three steps."""
    return Barred(["a", "a", "a", "a", ""])


def lively() -> Lively:
    """Six steps."""
    return Lively()


class Outside(Script):
    """Its observations leave the space that it declares, of floats, from the third step on."""

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(-1, 1, (2,), np.float32)

    def _view(self) -> dict[str, Any]:
        return {name: np.full(2, 1.0 if self.now < 3 else -7.5, np.float32) for name in self.agents}


def outside() -> Outside:
    """Four steps."""
    return Outside(["ab", "ab", "ab", "ab", ""], cut={4: "ab"})


class Ending(Script):
    """It ends its process in the third step."""

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        if self.now == 2:
            print("goodbye")
            os._exit(0)
        return super().step(actions)


def ending() -> Ending:
    """Three steps."""
    return Ending(["a", "a", "a", "a", ""])


def leaving() -> Script:
    """Three steps, and it raises what ends processes in the second."""

    class Leaving(Script):
        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            if self.now == 1:
                raise SystemExit(0)
            return super().step(actions)

    return Leaving(["a", "a", "a", ""])


def hanging() -> Script:
    """Three steps, and the second never ends."""

    class Hanging(Script):
        def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
            while self.now == 1:
                time.sleep(0.05)
            return super().step(actions)

    return Hanging(["a", "a", "a", ""])


def lingering() -> Script:
    """Three steps, and something that keeps its process at exit."""
    atexit.register(threading.Event().wait)
    return Script(["a", "a", "a", ""])
