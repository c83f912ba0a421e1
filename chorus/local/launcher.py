"""Starts actor processes on this machine and keeps them alive: each its own program, never a fork of this one.

Whoever ends an actor from outside (`kill`, the kernel short of memory, `chorus chaos`) only has it started again. One
that ends of itself has most likely been ended by its environment: that is told at once, its task is suspected, and it
is not started for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable
from typing import IO

from chorus.common.errors import ConfigError
from chorus.common.policy.opponents import scripts
from chorus.common.process import breadcrumb, child_processes, program
from chorus.common.tasks.task import Task
from chorus.common.transport.credentials import Credentials
from chorus.learner.process import Serving
from chorus.local.actor_log import ActorLog

log = logging.getLogger("chorus.launcher")

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0
ENDS_ALLOWED = 3
"""So often in a row an actor may end of itself before it has played anything."""
TOLD_SECONDS = 30.0
"""An actor that ends again and again is reported no more often than this."""
TOLD_TO_STOP = 128 + signal.SIGTERM
"""The exit code of an actor that was told to stop and did."""
FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, TOLD_TO_STOP)
AUDIT_SECONDS = 0.1


class Launcher:
    """The actor processes that a learner's own command starts: those of `chorus train`, and now and then an auditor."""

    def __init__(
        self,
        serving: Serving,
        count: int,
        credentials: Credentials,
        log_file: IO[str],
        on_fault: Callable[[str], None],
        prints: IO[str] | None = None,
        actor_log: ActorLog | None = None,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        """`count` actors, their log lines going to `log_file`, and what their environments print to `prints`.

        `on_fault` is told if one of them cannot play; `tell` what a person should know before that, found in
        `actor_log`.

        Raises:
            ConfigError: they could not verify the learner.
        """
        if credentials.serves_tls and not credentials.calls_tls and (count or serving.config.audit.share):
            raise ConfigError("--tls-cert without --tls-ca: the actors started here could not verify the learner")
        self._serving = serving
        self._count = count
        self._environment = os.environ | credentials.environment()
        self._log_file = log_file
        self._prints = prints or log_file
        self._actor_log = actor_log or ActorLog(None, None)
        self._on_fault = on_fault
        self._tell = tell
        self._told = -TOLD_SECONDS
        self._keepers: list[asyncio.Task[None]] = []
        self._trouble = ""

    def trouble(self) -> str:
        """What was last seen to go wrong with an actor, else what they say they are doing; empty if nothing."""
        return self._trouble or self._doing()

    def start(self) -> None:
        """Start them all."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        if self._serving.config.audit.share:
            self._keepers.append(asyncio.create_task(self._audit()))

    async def stop(self) -> None:
        """End them all, with whatever they started: first kindly, then by force."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def _doing(self) -> str:
        """What the actors said last of what they are doing, one line for each that said anything."""
        names = [f"actor-{number}" for number in range(self._count)]
        said = {name: self._actor_log.last_words(name, progress=True) for name in names}
        return "; ".join(f"{name}: {words}" for name, words in said.items() if words)

    def _addresses(self, number: int) -> str:
        """The learner's processes as an actor is given them: each begins at another one."""
        places = self._serving.addresses
        first = number % len(places)
        return ",".join([*places[first:], *places[:first]])

    async def _keep(self, number: int) -> None:
        """One actor, started again if it dies."""
        name, ends = f"actor-{number}", 0
        while True:
            mark = self._actor_log.mark()
            with tempfile.TemporaryFile() as crumb:
                process = await self._begin(
                    name, self._addresses(number), "--breadcrumb", str(crumb.fileno()), inherited=(crumb.fileno(),)
                )
                try:
                    code = await process.wait()
                finally:
                    await _end(process)
                at = breadcrumb.found(crumb.fileno())
            log.warning("actor ended, starting it again", extra={"actor": name, "code": code})
            if code in FROM_OUTSIDE:
                self._trouble = (
                    f"{name} was ended from outside ({child_processes.ended_how(code)}) and is started again"
                )
                self._say(self._trouble)
            else:
                ends = await self._fell(name, at, code, self._actor_log.last_words(name, mark), ends)
                if ends == ENDS_ALLOWED:
                    return
            await asyncio.sleep(RESTART_SECONDS)

    async def _fell(self, name: str, at: Task | None, code: int, words: str, ends: int) -> int:
        """An actor ended of itself: tell it, suspect its task; return how often in a row it did before it played."""
        how = child_processes.ended_how(code) + (f"; last words:\n{words}" if words else "")
        if self._serving.over():
            return 0
        where = f"in {at}, which is tried again" if at is not None else "before it played anything"
        self._trouble = f"{name} ended of itself, {where}: {how}"
        self._say(self._trouble)
        ends = 0 if await self._serving.fell(name, at, how) else ends + 1
        if ends == ENDS_ALLOWED:
            self._on_fault(f"{name} ended {ends} times before it played anything: {how}")
        return ends

    def _say(self, what: str) -> None:
        now = time.monotonic()
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            self._tell(what)

    async def _audit(self) -> None:
        """A fresh actor for audits whenever there is no other than the one that is audited."""
        for number in itertools.count():
            while not self._serving.stranded():
                await asyncio.sleep(AUDIT_SECONDS)
            process = await self._begin(f"auditor-{number}", self._serving.address, "--only-audits")
            try:
                while self._serving.stranded() and process.returncode is None:  # it is on its way
                    await asyncio.sleep(AUDIT_SECONDS)
                while self._serving.auditing() and not self._serving.stranded() and process.returncode is None:
                    await asyncio.sleep(AUDIT_SECONDS)
            finally:
                await _end(process)

    async def _begin(
        self, name: str, address: str, *arguments: str, inherited: tuple[int, ...] = ()
    ) -> asyncio.subprocess.Process:
        config = self._serving.config
        names = [config.environment.spec.partition("?")[0], *scripts(config)]
        allowed = [word for name in names for word in ("--allow-env", name)]
        return await asyncio.create_subprocess_exec(
            *program.command("actor", "--learner", address, "--name", name),
            *("--parent", str(os.getpid()), *allowed, *arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._prints,
            stderr=self._log_file,
            start_new_session=True,  # a group of its own, by which all that it started is found
            pass_fds=inherited,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
    finally:
        child_processes.end_group(process.pid)
