"""Small environments of the user's own that misbehave as real ones do, in PettingZoo's parallel API."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

STEPS = 6


class Toy:
    """Two agents, six steps; what they see is drawn from the seed. Trouble comes to a share of seeds, at step 3."""

    max_steps = STEPS
    possible_agents = ("a", "b")

    def __init__(self, trouble: str = "", share: float = 0.0, pause: float = 0.0) -> None:
        self.agents: list[str] = []
        self._trouble = trouble
        self._share = share
        self._pause = pause
        self._lie = float(os.environ.get("TOY_LIE", 0.0))  # what a hostile host adds to every reward

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(-100, 100, (2,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        self._random = np.random.default_rng(seed)
        self._unlucky = self._random.random() < self._share
        self.now = 0
        self.agents = list(self.possible_agents)
        return self._view(), {}

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        self.now += 1
        time.sleep(self._pause)
        seen = self._view()
        if self._unlucky and self.now == 3:
            self._have_trouble(seen)
        over = dict.fromkeys(self.agents, self.now == STEPS)
        rewards = {name: float(actions[name]) + self._lie for name in self.agents}
        if self.now == STEPS:
            self.agents = []
        return seen, rewards, dict.fromkeys(rewards, False), over, {}

    def _view(self) -> dict[str, Any]:
        return {name: self._random.random(2).astype(np.float32) for name in self.agents}

    def _have_trouble(self, seen: dict[str, Any]) -> None:
        if self._trouble == "raises":
            raise RuntimeError("the bridge is \x1b[31mout\x1b[0m")
        if self._trouble == "hangs":
            while True:
                time.sleep(0.1)
        if self._trouble == "poisons":
            seen["a"][0] = np.nan
        if self._trouble == "host":  # a draw that no seed reaches, equal within a process
            seen["a"][0] = os.getpid() % 97
        if self._trouble == "ends":
            os._exit(139)
        if self._trouble == "ends well":
            os._exit(0)
        if self._trouble == "aborts":
            os.abort()

    def render(self) -> Any:
        return None

    def close(self) -> None:
        pass


def fair(pause: float = 0.0) -> Toy:
    return Toy(pause=pause)


def troubled(trouble: str, share: float = 1.0) -> Toy:
    return Toy(trouble, share)


class Careless(Toy):
    """Prints as it goes, by every way there is, and leaves a thread and a process behind; notes when it is made and
    closed."""

    def __init__(self, diary: str) -> None:
        super().__init__()
        self._diary = Path(diary)
        threading.Thread(target=threading.Event().wait, name="simulator heartbeat").start()
        child = subprocess.Popen(["sleep", "1000"])
        self._note(f"made {id(self)} {os.getpid()}")
        self._note(f"child {child.pid}")

    def _note(self, what: str) -> None:
        with self._diary.open("a") as diary:
            diary.write(f"{what}\n")

    def step(self, actions: dict[str, Any]) -> tuple[Any, ...]:
        print("a line from Python")
        os.write(2, b"a line from C\n")
        return super().step(actions)

    def close(self) -> None:
        self._note(f"closed {id(self)} {os.getpid()}")


class Lonely(Toy):
    """As a simulator with one licence: no second one may live anywhere on the machine."""

    def __init__(self, licence: str) -> None:
        super().__init__()
        self._licence = Path(licence).open("w")  # noqa: SIM115 - held until close
        fcntl.flock(self._licence, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        self._licence.close()


class Wide(Toy):
    """Sees so much that a task travels in several parts; `TOY_PAUSE` is how long a step takes on this host, and with
    `TOY_RAISES` its third step fails here."""

    def __init__(self) -> None:
        super().__init__("raises" if os.environ.get("TOY_RAISES") else "", 1.0, float(os.environ.get("TOY_PAUSE", 0.0)))

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(-100, 100, (30_000,), np.float32)

    def _view(self) -> dict[str, Any]:
        return {name: self._random.random(30_000, np.float32) for name in self.agents}
