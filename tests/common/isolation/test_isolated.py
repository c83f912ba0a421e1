"""An environment in a process of its own: the same bits, and nothing that it does to its process is done to ours."""

from __future__ import annotations

import ctypes
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import digest, prove, random_actions
from chorus.common.errors import EnvironmentFault
from chorus.common.isolation import isolated
from chorus.common.isolation.isolated import Isolated
from tests.common.environments.toys import Script

OWN = "tests.common.isolation.test_isolated:troubled"
PATIENCE = 60.0


class Troubled(Script):
    """One agent, five steps; in the third something happens, once in a while or always."""

    hoard: list[np.ndarray] = []  # noqa: RUF012 - what is never given back

    def __init__(self, trouble: str, always: bool) -> None:
        super().__init__(["a"] * 5 + [""], dies={5: "a"})
        self.possible_agents = ["a"]
        self._trouble, self._always = trouble, always

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self._random = np.random.default_rng(seed)
        self._unlucky = self._always or self._random.random() < 0.3
        return super().reset(seed)

    def step(self, actions: dict[str, Any]) -> Any:
        if self.now == 2 and self._unlucky:
            print("about to have trouble")
            TROUBLES[self._trouble]()
        return super().step(actions)


def hang() -> None:
    while True:
        time.sleep(0.05)


def crash() -> None:
    ctypes.string_at(0)


def leak() -> None:
    Troubled.hoard.append(np.ones(40_000_000))


TROUBLES: dict[str, Callable[[], object]] = {
    "exits": lambda: os._exit(7),
    "exits well": lambda: os._exit(0),
    "crashes": crash,
    "aborts": os.abort,
    "hangs": hang,
    "leaks": leak,
    "nothing": lambda: None,
}


def troubled(trouble: str = "nothing", always: bool = True) -> Troubled:
    return Troubled(trouble, always)


@pytest.fixture
def started() -> Iterator[Callable[..., Isolated]]:
    made: list[Isolated] = []

    def start(spec: str, patience: float = PATIENCE) -> Isolated:
        made.append(Isolated(spec, patience))
        return made[-1]

    yield start
    for one in made:
        one.close()


def play(environment: Any, seed: int = 0) -> None:
    draw, frame = np.random.default_rng(seed), environment.reset(1, np.random.default_rng(seed))
    while frame.present.any():
        frame = environment.step(random_actions(environment.spec, frame, draw)).frame


@pytest.mark.parametrize("spec", ["spread?agents=2&steps=6", f"{OWN}?trouble=nothing"])
def test_the_same_bits_as_in_this_process(spec: str, started: Callable[..., Isolated]) -> None:
    apart, here = started(spec), make(spec)
    assert apart.spec == here.spec
    for instances in (None, 1, 2):
        assert digest(apart, 5, 4, 10, instances) == digest(here, 5, 4, 10, instances)
    assert prove(lambda: started(spec))[1].message == ""


@pytest.mark.parametrize(
    ("trouble", "how"),
    [
        ("exits", "exit code 7"),
        ("exits well", "exit code 0"),
        ("crashes", "SIGSEGV.*\n(.*\n)*.*test_isolated.py.* in crash"),
        ("aborts", "SIGABRT"),
    ],
)
def test_a_process_that_ends_is_told_of_and_started_again(
    trouble: str, how: str, started: Callable[..., Isolated]
) -> None:
    environment = started(f"{OWN}?trouble={trouble}&always=false".replace(" ", "%20"))
    outcomes = []
    for seed in range(12):
        try:
            play(environment, seed)
            outcomes.append("played")
        except EnvironmentFault as fault:
            outcomes.append(str(fault))
    ends = [told for told in outcomes if told != "played"]
    assert 0 < len(ends) < 12
    for told in ends:
        assert re.search(f"its process ended of itself: {how}", told), told


def test_one_that_hangs_is_killed_and_its_place_is_told(
    started: Callable[..., Isolated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "LAST_SECONDS", PATIENCE)
    environment = started(f"{OWN}?trouble=hangs")
    frame = environment.reset(1, np.random.default_rng(0))
    for _ in range(2):
        environment.step(np.zeros((1, 1, 1), np.int32))
    pid = environment.pid
    assert pid is not None
    monkeypatch.setattr(environment, "_patience", 1.5)  # of the step that hangs alone: a busy machine may start slowly
    with pytest.raises(EnvironmentFault, match=r"hung: no answer from its process for 2 s(.*\n)*.*in hang"):
        environment.step(np.zeros((1, 1, 1), np.int32))
    assert frame.present.all() and not psutil.pid_exists(pid) and environment.pid is None
    monkeypatch.setattr(environment, "_patience", PATIENCE)
    environment.reset(1, np.random.default_rng(1))
    assert environment.pid is not None


def test_one_that_leaks_is_renewed_between_two_tasks(
    started: Callable[..., Isolated], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "LEAK_BYTES", 64 << 20)
    environment = started(f"{OWN}?trouble=leaks")
    seen = []
    for seed in range(4):
        play(environment, seed)
        seen.append(environment.pid)
    assert len(set(seen)) > 1, "300 MB a task are too much"
    steady = started(f"{OWN}?trouble=nothing")
    for seed in range(4):
        play(steady, seed)
        seen.append(steady.pid)
    assert len(set(seen[4:])) == 1


def test_what_cannot_be_made_is_told_and_leaves_no_process() -> None:
    before = len(psutil.Process().children(recursive=True))
    with pytest.raises(EnvironmentFault, match="did you mean 'agents'"):
        Isolated("spread?agnets=2", PATIENCE)
    assert len(psutil.Process().children(recursive=True)) == before


def test_closing_ends_the_process(started: Callable[..., Isolated]) -> None:
    environment = started("spread?agents=2")
    pid = environment.pid
    environment.close()
    assert pid is not None and not psutil.pid_exists(pid)
    environment.close()
