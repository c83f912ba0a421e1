"""Starts actor processes on this machine and keeps them alive: each its own program, never a fork of this one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import IO

log = logging.getLogger("chorus.launcher")

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0


class Launcher:
    """The actor processes of one `chorus train`."""

    def __init__(self, address: str, count: int, log_file: IO[str]) -> None:
        """`count` actors for the learner at HOST:PORT, their log lines going to `log_file`."""
        self._address = address
        self._count = count
        self._log_file = log_file
        self._keepers: list[asyncio.Task[None]] = []
        self.fault: str | None = None

    def start(self) -> None:
        """Start them all."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]

    async def stop(self) -> None:
        """End them all: first kindly, then by force."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """One actor, started again if it dies."""
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "chorus",
                "actor",
                "--learner",
                self._address,
                "--name",
                f"actor-{number}",
                "--parent",
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._log_file,
                stderr=self._log_file,
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            if code == 0:
                return
            log.warning("actor ended, starting it again", extra={"actor": f"actor-{number}", "code": code})
            await asyncio.sleep(RESTART_SECONDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
