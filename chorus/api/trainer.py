"""A `chorus train` in a process of its own: started, listened to, ended.

Training never runs in the process that asks for it. Its arithmetic has to be pinned before NumPy is loaded, which a
notebook has long done; its asyncio loop would meet the one that a notebook runs; and Ctrl-C must end it in order, with
a checkpoint. So the process is the very command that a person types, and tells what happens as lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from math import nan
from queue import SimpleQueue
from types import TracebackType
from typing import Any
from warnings import warn

from chorus.api.callbacks import Progress
from chorus.api.command import environment
from chorus.api.run import Run
from chorus.common import errors
from chorus.common.errors import ChorusError
from chorus.common.process import program

STOP_SECONDS = 120.0
"""How long a training may take to finish the present update and write its checkpoint before it is killed."""
COMPLAINT_LINES = 20

Event = dict[str, Any]


class Trainer:
    """A running training. Use it as a context: leaving it ends the process in any case."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start `chorus train` with these arguments."""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._process = subprocess.Popen(
            program.command("train", "--json", "--parent", os.getpid(), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment(),
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends the other in order
        )
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="training", daemon=True)
        self._reader.start()
        self._stopping = False
        self.run: Run | None = None
        self._updates = 0

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def started(self) -> Run:
        """Wait until the learner listens; return the run.

        Raises:
            ChorusError: what the command would have complained of.
        """
        event = self._next()
        if event is None or event["event"] != "start":
            raise ChorusError(f"the training ended before it began: {self._complaint()}")
        self._updates = event["updates"]
        self.run = Run(event["out"])
        return self.run

    def updates(self) -> Iterator[Progress]:
        """Every update as it is done, to the last.

        Raises:
            ChorusError: training cannot go on.
        """
        assert self.run is not None, "started() comes first"
        while (event := self._next()) is not None:
            metrics = {name: nan if value is None else value for name, value in event["metrics"].items()}
            yield Progress(self.run, event["update"], self._updates, event["actors"], metrics)

    def stop(self) -> None:
        """End the training as SIGTERM does: the present update is finished and a checkpoint written.

        Raises:
            ChorusError: it took too long, so it was killed. An interrupt meanwhile kills it too.
        """
        self._stopping = True
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise ChorusError(f"the training did not stop within {STOP_SECONDS:.0f} s and was killed") from late
        finally:
            self._kill()

    def close(self) -> None:
        """End the training if it is running, and release everything that it held here."""
        if self._process.stdout is None or self._process.stdout.closed:
            return
        try:
            self.stop()
        finally:
            self._reader.join()
            self._process.stdout.close()
            self._complaints.close()

    def _next(self) -> Event | None:
        """The next start or update; None once the process has ended in order."""
        while (event := self._events.get()) is not None:
            if event["event"] == "warning":
                warn(event["text"], stacklevel=2)
            elif event["event"] == "fault":
                kind = getattr(errors, event["kind"], ChorusError)
                raise kind(event["text"])
            elif event["event"] != "end":
                return event
        self._check_end()
        return None

    def _read(self) -> None:
        """Take in what the process tells, however slow the caller is: a full pipe would hold up the learner."""
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                self._events.put(json.loads(line))
        finally:
            self._events.put(None)

    def _check_end(self) -> None:
        code = self._process.wait()
        if code == 0 or self._stopping:
            return
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        raise ChorusError(f"the training's process ended {how}: {self._complaint()}")

    def _complaint(self) -> str:
        """The last lines that the process wrote to standard error."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-COMPLAINT_LINES:]) or "it said nothing"

    def _kill(self) -> None:
        """End the process and the actors that it started, at once, if it is still there."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
