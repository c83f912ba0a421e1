"""The watchdog: bites who hangs, leaves who moves."""

import os
import threading
import time

import pytest

from chorus.actor import watchdog
from chorus.actor.watchdog import EXIT_CODE, Watchdog


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Beats of a hundredth of a second; the codes with which the process would have ended."""
    codes: list[int] = []
    monkeypatch.setattr(watchdog, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_one_that_moves_is_left_alone_and_its_life_is_told(quick: list[int]) -> None:
    beats = threading.Semaphore(0)
    with Watchdog(0.5, lambda: beats.release(), lambda stack: None) as watched:
        for _ in range(20):
            watched.moved()
            assert beats.acquire(timeout=10)
    assert not quick


def test_one_that_hangs_is_told_on_with_the_place_where_it_hangs_and_ended(quick: list[int]) -> None:
    stacks: list[str] = []
    bitten = threading.Event()

    def on_hang(stack: str) -> None:
        stacks.append(stack)
        bitten.set()

    def hang_here() -> None:
        assert bitten.wait(30)
        while not quick:
            time.sleep(0.01)

    with Watchdog(0.05, lambda: None, on_hang):
        hang_here()
    assert "hang_here" in stacks[0]
    assert quick[0] == EXIT_CODE


def test_its_thread_ends_with_the_block(quick: list[int]) -> None:
    before = threading.active_count()
    with Watchdog(10.0, lambda: None, lambda stack: None):
        assert threading.active_count() > before
    assert threading.active_count() == before
