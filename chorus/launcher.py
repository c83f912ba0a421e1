"""Starts actor processes on this machine and keeps them alive: each its own program, never a fork of this one."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from typing import IO

from common.credentials import Credentials

log = logging.getLogger("chorus.launcher")

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0
REFUSED = 1
"""An actor's exit code when it says itself why it cannot play."""
REFUSALS_ALLOWED = 5


class Launcher:
    """The actor processes of one `chorus train`."""

    def __init__(
        self,
        address: str,
        count: int,
        spec: str,
        credentials: Credentials,
        log_file: IO[str],
        on_fault: Callable[[str], None],
    ) -> None:
        """`count` actors for the learner at HOST:PORT that may play `spec`, their log lines going to `log_file`;
        `on_fault` is told if one of them says again and again that it cannot play."""
        self._address = address
        self._count = count
        self._allowed = spec.partition("?")[0]
        self._environment = os.environ | credentials.environment()
        self._log_file = log_file
        self._on_fault = on_fault
        self._keepers: list[asyncio.Task[None]] = []

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
        refusals = 0
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
                "--allow-env",
                self._allowed,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._log_file,
                stderr=self._log_file,
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            log.warning("actor ended, starting it again", extra={"actor": f"actor-{number}", "code": code})
            refusals = refusals + 1 if code == REFUSED else 0
            if refusals == REFUSALS_ALLOWED:
                self._on_fault(f"actor-{number} ended {refusals} times because it cannot play; its log says why")
                return
            await asyncio.sleep(RESTART_SECONDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
