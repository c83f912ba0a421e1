"""The other processes of a learner of several, which `chorus train --learners R` starts on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

from chorus.common.errors import ConfigError
from chorus.common.process import program
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.settings.plain import text
from chorus.learner.group.group import ALONE, Group
from chorus.learner.group.processes import Processes
from chorus.learner.process import Listening

STOP_SECONDS = 10.0


class Companions:
    """Processes 1 to R - 1, as long as this is entered; this one is process 0. With R = 1 there are none."""

    def __init__(
        self, count: int, config: Config, out: Path, listening: Listening, log_file: IO[str], prints: IO[str]
    ) -> None:
        """`count` is R; log lines go to `log_file`, what environments print to `prints`.

        Raises:
            ConfigError: the settings ask for another number.
        """
        if config.learner.processes not in (None, count):
            raise ConfigError(
                f"learner.processes is {config.learner.processes}, but --learners is {count}; leave one of the two out"
            )
        self.group: Group = ALONE
        self._count = count
        self._config = config
        self._out = out
        self._listening = listening
        self._prints = prints
        self._log_file = log_file
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Companions:
        if self._count == 1:
            return self
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        try:
            with tempfile.TemporaryDirectory() as folder:
                settings = Path(folder) / "config.yaml"
                settings.write_text(text(configuration.to_dict(self._config)))
                for rank in range(1, self._count):  # one by one: if one cannot be started, those before it are ended
                    self._started.append(self._start(rank, port, settings))
                timeout = self._config.learner.group_timeout
                where = f"tcp://127.0.0.1:{port}"
                self.group = Processes(self._config.device, timeout, 0, self._count, where)  # they have read it by then
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:  # they are to hear of it now, not when they have waited long enough
            self.group.close()
            for process in self._started:
                process.terminate()
        self._stop()
        if kind is None:
            self.group.close()

    def _start(self, rank: int, port: int, settings: Path) -> subprocess.Popen[bytes]:
        listening = self._listening
        host = listening.address.rpartition(":")[0]
        arguments = ["learner", "--config", settings, "--out", self._out, "--listen", f"{host}:0", "--no-page"]
        if listening.metrics_port:  # each one's own: the number is raised by its rank
            arguments += ["--metrics-port", listening.metrics_port, "--metrics-host", listening.metrics_host]
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": self._count}
        found = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {name: str(value) for name, value in (place | found).items()}
        return subprocess.Popen(
            program.command(*arguments),
            env=os.environ | listening.credentials.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=self._prints,
            stderr=self._log_file,
        )

    def _stop(self) -> None:
        """End those that have not ended: they hear of the end of the run as this process does."""
        for process in self._started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()
        for process in self._started:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
