"""Starts actor processes on this machine and keeps them alive: each its own program, never a fork of this one."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import IO

from chorus.actor.watchdog import EXIT_CODE
from chorus.common.errors import ConfigError
from chorus.common.process import program
from chorus.common.transport.credentials import Credentials
from chorus.learner.process import Serving

log = logging.getLogger("chorus.launcher")

RESTART_SECONDS = 1.0
STOP_SECONDS = 5.0
REFUSED = range(1, EXIT_CODE)
"""An actor's exit codes when it says itself why it cannot play; the watchdog's is another."""
REFUSALS_ALLOWED = 5
AUDIT_SECONDS = 0.1


class Launcher:
    """The actor processes that a learner's own command starts: those of `chorus train`, and now and then an auditor."""

    def __init__(
        self, serving: Serving, count: int, credentials: Credentials, log_file: IO[str], on_fault: Callable[[str], None]
    ) -> None:
        """`count` actors, their log lines going to `log_file`; `on_fault` is told if one of them says again and again
        that it cannot play.

        Raises:
            ConfigError: they could not verify the learner.
        """
        if credentials.serves_tls and not credentials.calls_tls and (count or serving.config.audit.share):
            raise ConfigError("--tls-cert without --tls-ca: the actors started here could not verify the learner")
        self._serving = serving
        self._count = count
        self._environment = os.environ | credentials.environment()
        self._log_file = log_file
        self._on_fault = on_fault
        self._keepers: list[asyncio.Task[None]] = []
        self._trouble = ""

    def trouble(self) -> str:
        """What was last seen to go wrong with an actor; empty if nothing."""
        return self._trouble

    def start(self) -> None:
        """Start them all."""
        self._keepers = [asyncio.create_task(self._keep(f"actor-{number}")) for number in range(self._count)]
        if self._serving.config.audit.share:
            self._keepers.append(asyncio.create_task(self._audit()))

    async def stop(self) -> None:
        """End them all: first kindly, then by force."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, name: str) -> None:
        """One actor, started again if it dies."""
        refusals = 0
        while True:
            process = await self._begin(name)
            try:
                code = await process.wait()
            finally:
                await _end(process)
            log.warning("actor ended, starting it again", extra={"actor": name, "code": code})
            self._trouble = f"{name} ended with code {code} and is started again; log.jsonl says why"
            refusals = refusals + 1 if code in REFUSED else 0
            if refusals == REFUSALS_ALLOWED:
                self._on_fault(f"{name} ended {refusals} times because it cannot play; its log says why")
                return
            await asyncio.sleep(RESTART_SECONDS)

    async def _audit(self) -> None:
        """A fresh actor for audits whenever there is no other than the one that is audited."""
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            if not self._serving.stranded():
                continue
            process = await self._begin("auditor", "--only-audits")
            try:
                while self._serving.auditing() and process.returncode is None:
                    await asyncio.sleep(AUDIT_SECONDS)
            finally:
                await _end(process)

    async def _begin(self, name: str, *arguments: str) -> asyncio.subprocess.Process:
        address = self._serving.address
        allowed = self._serving.config.environment.spec.partition("?")[0]
        return await asyncio.create_subprocess_exec(
            *program.command("actor", "--learner", address, "--name", name),
            *("--parent", str(os.getpid()), "--allow-env", allowed, *arguments),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=self._log_file,
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
