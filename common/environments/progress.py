"""Progress reports of a slow environment: for the user who waits, and for watchdogs that would think that it hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listeners: list[Callable[[str], None]] = []


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Let `listener` be told, in this process, until the block ends."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(what: str) -> None:
    """Say what is being done: something slow is about to begin, or one of several is done."""
    for listener in _listeners:
        listener(what)
