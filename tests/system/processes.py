"""Chorus as people run it: real processes, real ports, and an owner that ends each of them."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from chorus.commands.faults import OWN

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
"""How long a test waits for something that must happen; how fast it happens is no test's business."""

QUICK = ("--set", "task.episodes=8", "--set", "update.passes=2", "--set", "learner.workers=2")
"""Small tasks, and two passes over them in the place of four."""


class Process:
    """One `chorus` command at work, its two outputs in files."""

    def __init__(self, folder: Path, *arguments: str | Path, within: Sequence[str] = (), **environment: str) -> None:
        number = sum(1 for _ in folder.glob("*.out"))
        self.out, self.err = folder / f"{number}.out", folder / f"{number}.err"
        self.command = [*within, sys.executable, "-m", "chorus", *map(str, arguments)]
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHORUS_", "OPENBLAS_", "ONEDNN_", "MKL_", "ATEN_", "OMP_"))
            and name != "PYTHONDONTWRITEBYTECODE"  # or each of hundreds of processes compiles Chorus anew
        }
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.popen = subprocess.Popen(
                self.command, cwd=ROOT, env=kept | environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """End the process and whatever it started, at once."""
        family = [self.popen.pid]
        if self.popen.poll() is None:
            family += [child.pid for child in psutil.Process(self.popen.pid).children(recursive=True)]
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.popen.wait()

    def ended(self) -> int:
        """The exit code, once there is one."""
        return self.popen.wait(PATIENCE_SECONDS)

    def succeeded(self) -> str:
        """What it printed; its exit code must be 0."""
        code = self.ended()
        assert code == 0, f"{self.command} ended with {code}:\n{self.out.read_text()}\n{self.err.read_text()}"
        return self.out.read_text()

    def refused(self, code: int | None = None) -> str:
        """What it complained about; its exit code must be `code`, or that of any fault that is explained."""
        ended = self.ended()
        said = f"{self.command} ended with {ended}:\n{self.out.read_text()}\n{self.err.read_text()}"
        assert 1 <= ended < OWN if code is None else ended == code, said
        return self.err.read_text()

    def events(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = self.err.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """Its first log line of that name and those fields, as soon as there is one."""

        def found() -> dict[str, Any] | None:
            for event in self.events():
                if event["event"] == name and fields.items() <= event.items():
                    return event
            assert self.popen.poll() is None or name in self.err.read_text(), f"ended:\n{self.err.read_text()}"
            return None

        return until(found)


class Chorus:
    """Starts `chorus` commands; `close` ends those that are left, with all that they started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._outputs = folder / "outputs"
        self._outputs.mkdir()
        self._started: list[Process] = []

    def start(self, *arguments: str | Path, within: Sequence[str] = (), **environment: str) -> Process:
        """Start a command, `within` another one that runs it (`nsenter …`), or as it is."""
        process = Process(self._outputs, *arguments, within=within, **environment)
        self._started.append(process)
        return process

    def torchrun(self, processes: int, *arguments: str | Path) -> Process:
        """A learner of several processes, as the documentation has it."""
        launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "20")
        return self.start("learner", *arguments, within=(*launcher, "--nproc-per-node", str(processes), "--no-python"))

    def run(self, *arguments: str | Path, **environment: str) -> str:
        """Run a command to its end, which must be a good one; return what it printed."""
        return self.start(*arguments, **environment).succeeded()

    def train(self, name: str, *arguments: str | Path) -> Path:
        """Train in a folder of that name, to the end; return it."""
        self.run("train", "--no-pictures", "--out", self.folder / name, *QUICK, *arguments)
        return self.folder / name

    def learner(self, name: str, *arguments: str | Path, port: int = 0) -> "tuple[Process, str]":
        """A learner at work, and its address."""
        return self.learner_with({}, name, *arguments, port=port)

    def learner_with(
        self, environment: dict[str, str], name: str, *arguments: str | Path, port: int = 0
    ) -> "tuple[Process, str]":
        """The same, with environment variables."""
        command = ("learner", "--out", self.folder / name, "--listen", f"127.0.0.1:{port}", *QUICK, *arguments)
        learner = self.start(*command, **environment)
        return learner, f"127.0.0.1:{learner.event('learner listens')['port']}"

    def actor(self, address: str, name: str, *arguments: str | Path, **environment: str) -> Process:
        return self.start("actor", "--learner", address, "--name", name, *arguments, **environment)

    def close(self) -> None:
        for process in self._started:
            process.kill()


@contextmanager
def opened(folder: Path) -> Iterator[Chorus]:
    chorus = Chorus(folder)
    try:
        yield chorus
    finally:
        chorus.close()


def until(found: Callable[[], T | None]) -> T:
    """What `found` returns as soon as it is something."""
    for _ in range(int(PATIENCE_SECONDS / 0.02)):
        value = found()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_SECONDS:.0f} s in vain")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def weights(run: Path) -> str:
    """The SHA-256 of the final weights. Not the bytes: with CI set pytest prints all of a difference, for minutes."""
    return digest((run / "final" / "policy.safetensors").read_bytes())


def rows(run: Path) -> list[dict[str, str]]:
    path = run / "metrics.csv"
    if not path.exists():
        return []
    lines = path.read_text().splitlines()  # at once: it is being written
    return [row for row in csv.DictReader(lines) if row["learning_rate"]]


def batches(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "batches.jsonl").read_text().splitlines()]


def players(run: Path) -> list[set[str]]:
    """Who played, update by update."""
    return [{task["actor"] for task in batch["tasks"]} for batch in batches(run)]
