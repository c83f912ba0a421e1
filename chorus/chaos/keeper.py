"""A process of the experiment, or torchrun with a group of them, started again whenever it ends badly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import IO

import psutil

from chorus.common.errors import ChorusError
from chorus.common.process import program

RESTART_SECONDS = 0.2
FUTILE_STARTS = 20
STOP_SECONDS = 10.0
RESTARTS_ALLOWED = 10_000
"""Of a group by torchrun."""


class Keeper:
    """One process, started again whenever it ends badly, until it ends well or `close` is called."""

    def __init__(self, arguments: list[str], log: IO[bytes], processes: int = 1) -> None:
        """`processes`: of a learner, started by torchrun, which starts all again when one of them ends badly."""
        self.peak = 0
        self.processes = processes
        self._seen: set[int] = set()
        self._name = arguments[0]
        self._arguments = program.command(*arguments)
        if processes > 1:
            restarts = ("--max-restarts", RESTARTS_ALLOWED, "--nproc-per-node", processes, "--no-python")
            torchrun = program.module_command("torch.distributed.run", "--standalone", *restarts)
            self._arguments = [*torchrun, *self._arguments]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int | None:
        """Of the process at work, if there is one."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def starts(self) -> int:
        """How often it was started; of a group, each process of it counts."""
        return len(self._seen)

    def pids(self) -> list[int]:
        """Of the processes that do the work now: itself, or those of the group."""
        if self.pid is None:
            return []
        found = [self.pid]
        if self.processes > 1:
            with contextlib.suppress(psutil.NoSuchProcess):
                found = [one.pid for one in psutil.Process(self.pid).children() if self._name in one.cmdline()]
        self._seen.update(found)
        return found

    def send(self, number: signal.Signals, victim: int = 0) -> int | None:
        """Send a process a signal, if there is one, and return its id; of a group, that one of its processes."""
        pids = self.pids()
        if not pids:
            return None
        pid = pids[victim % len(pids)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def measure(self) -> None:
        """Note how much memory it takes."""
        for pid in self.pids():
            with contextlib.suppress(psutil.NoSuchProcess):
                self.peak = max(self.peak, psutil.Process(pid).memory_info().rss)

    async def ended(self) -> None:
        """Wait until it ended well.

        Raises:
            ChorusError: it ends badly again and again.
        """
        await self._task

    async def close(self) -> None:
        """End the process and keep it no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        futile = 0
        while futile < FUTILE_STARTS:
            began = time.monotonic()
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=self._log, stderr=self._log
            )
            try:
                if await self._process.wait() == 0 and not self._wanted_again():
                    return
            finally:
                await _end(self._process)
            futile = futile + 1 if time.monotonic() - began < STOP_SECONDS and self._process.returncode == 1 else 0
            await asyncio.sleep(RESTART_SECONDS)
        raise ChorusError(f"{self._name} ended {futile} times in a row; its log says why")

    def _wanted_again(self) -> bool:
        """Whether to start it again even though it ended well: an actor that was sent away may come back."""
        return self._name == "actor"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
