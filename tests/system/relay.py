"""The proxy of `chorus chaos` beside a test: between an actor and the learner, on a loop and a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chorus.chaos.proxy import Proxy


class Relay:
    """A proxy in front of a learner's address; actors are to call `address`."""

    def __init__(self, learner: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay")
        self._thread.start()
        self.proxy = Proxy(int(learner.rpartition(":")[2]))
        port = asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop).result()
        self.address = f"127.0.0.1:{port}"

    def freeze(self) -> None:
        """Let nothing through, and tell nobody."""
        self._loop.call_soon_threadsafe(self.proxy.freeze)

    def thaw(self) -> None:
        """Let things through again, those from before first."""
        self._loop.call_soon_threadsafe(self.proxy.thaw)

    def cut(self) -> None:
        """Break every connection; a new one may be made at once."""
        self._loop.call_soon_threadsafe(self.proxy.cut)

    def close(self) -> None:
        """End all connections."""
        asyncio.run_coroutine_threadsafe(self.proxy.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def relay(learner: str) -> Iterator[Relay]:
    """A relay to that address, as long as it is needed."""
    opened = Relay(learner)
    try:
        yield opened
    finally:
        opened.close()
