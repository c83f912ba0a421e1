"""A TCP proxy that does to a connection what networks do: cut it, stop it, slow it down, change a bit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

PIECE_BYTES = 16_384


class Proxy:
    """Stands between one actor and the learner, from `start` to `close`. Its faults are attributes, read as data flow.

    Attributes:
        delay: seconds that every piece is held back.
        rate: bytes a second that it lets through; 0 for any number.
        corruptions: how many further pieces get one bit flipped, each in its middle.
    """

    def __init__(self, port: int) -> None:
        """Leads to a port of this machine."""
        self.delay = 0.0
        self.rate = 0.0
        self.corruptions = 0
        self._to = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """End all connections and listen no more."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection at once, as a pulled plug does after a while."""
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Let nothing through, without a word to either side: half-open connections."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let things through again."""
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)
        writers = [writer]
        try:
            await self._flowing.wait()
            with contextlib.suppress(OSError):
                back, forth = await asyncio.open_connection("127.0.0.1", self._to)
                writers.append(forth)
                self._writers.update(writers)
                await _first(self._pump(reader, forth), self._pump(back, writer))
        finally:
            self._writers.difference_update(writers)
            for one in writers:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.rate:
                    await asyncio.sleep(len(data) / self.rate)
                await self._flowing.wait()
                if self.corruptions and len(data) > 100:
                    self.corruptions -= 1
                    middle = len(data) // 2
                    data = data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]
                writer.write(data)
                await writer.drain()


async def _first(*works: Awaitable[None]) -> None:
    """Run until the first is done; end the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
