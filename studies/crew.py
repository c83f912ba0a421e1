"""Several workers side by side, each a program of its own with one thread, and the jobs that they share."""

from __future__ import annotations

import json
import queue
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from chorus.common.errors import ChorusError
from chorus.common.process import program


class StudyFault(ChorusError):
    """A job of a study failed."""


@dataclass(frozen=True)
class Job:
    """A function of a module, such as `chorus.studies.run:curve`, and its arguments as plain JSON values."""

    call: str
    arguments: dict[str, Any]


class Crew:
    """`workers` processes; they are ended when the `with` block is left, however it is left."""

    def __init__(self, workers: int) -> None:
        """Start them."""
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._processes = [
            subprocess.Popen(
                program.module_command("chorus.studies.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(workers)
        ]
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="crew")

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.communicate()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._processes)

    def do(self, jobs: Sequence[Job], on_done: Callable[[], None] = lambda: None) -> list[Any]:
        """The results of the jobs, in their order; `on_done` is called as each is done.

        Raises:
            StudyFault: one of them failed.
        """
        futures = [self._threads.submit(self._do, job, on_done) for job in jobs]
        return [future.result() for future in futures]

    def _do(self, job: Job, on_done: Callable[[], None]) -> Any:
        process = self._idle.get()
        try:
            line = _ask(process, json.dumps({"call": job.call, "arguments": job.arguments}))
        except OSError as fault:
            raise StudyFault(f"a worker ended while it was given {job.call}: {fault}") from fault
        finally:
            self._idle.put(process)  # even a dead one: whoever takes it next must not wait for ever
        if not line:
            raise StudyFault(f"a worker ended with code {process.wait()} at {job.call} {job.arguments}")
        reply = json.loads(line)
        if "fault" in reply:
            raise StudyFault(f"{job.call} {job.arguments} failed:\n{reply['fault']}")
        on_done()
        return reply["result"]


def _ask(process: subprocess.Popen[str], question: str) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(question + "\n")
    process.stdin.flush()
    return process.stdout.readline()
