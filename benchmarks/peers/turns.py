"""One turn: start a runner, let it work, read what it measured, end all of its processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chorus.benchmarks.peers.contest import ACTORS, Entry
from chorus.benchmarks.peers.scripts.work import Meter, Work, processor_seconds
from chorus.benchmarks.peers.surroundings import Unavailable, interpreter, last_line, script
from chorus.benchmarks.train import FOR_EVER
from chorus.benchmarks.train import SPREAD as CONFIG
from chorus.common.process import program

START_SECONDS = 900.0
POLL_SECONDS = 0.02
ALONE = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would show a peer the packages of Chorus."""

Answer = dict[str, Any]


def take(entry: Entry, cache: Path) -> Answer:
    """What one turn measured (`Meter.answer`).

    Raises:
        Unavailable: the peer does not install or run here.
        RuntimeError: Chorus ended before its time.
    """
    return _peer(entry, cache) if entry.runner.peer else _chorus(entry)


def _peer(entry: Entry, cache: Path) -> Answer:
    python, limit = interpreter(entry.runner.peer, cache), START_SECONDS + _longest(entry.work)
    environment = {name: value for name, value in os.environ.items() if name not in ALONE}
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(script(entry.runner.peer)), *entry.work.words(), f"--began={time.time()}"]
        said, heard = Path(folder) / "said.txt", Path(folder) / "heard.txt"
        with said.open("wb") as out, heard.open("wb") as err:
            process = subprocess.Popen(
                command, stdout=out, stderr=err, env=environment, cwd=folder, start_new_session=True
            )
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                raise Unavailable(f"does not end within {limit:.0f} s") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if status:
            raise Unavailable(f"does not run: {last_line(heard.read_text(errors='replace'))}")
        answer: Answer = json.loads(last_line(said.read_text(errors="replace")))
        return answer


def _longest(work: Work) -> float:
    return work.warm_up + 2 * work.seconds if work.goal is None else work.limit


def command(entry: Entry, out: Path) -> list[str]:
    """The command that starts Chorus for an entry: `chorus train` with its server, two actors and real gRPC."""
    work, race = entry.work, entry.work.goal is not None
    tasks = entry.runner.tasks
    batch = (f"task.episodes={work.episodes // tasks}", f"update.tasks={tasks}")
    settings = entry.runner.settings if race else (*entry.runner.settings, *batch)
    words = ["--config", str(CONFIG), "--out", str(out), "--env", entry.runner.environment, "--seed", str(work.seed)]
    words += ["--actors", str(ACTORS), "--no-pictures", "--no-page", *([] if race else ["--updates", str(FOR_EVER)])]
    return program.command("train", *words, *(word for setting in settings for word in ("--set", setting)))


def _chorus(entry: Entry) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        out, began = Path(folder) / "run", time.time()
        with _running(command(entry, out)) as process:
            meter = Meter(Work(**(vars(entry.work) | {"began": began})), spent=lambda: processor_seconds(process.pid))
            for steps, episodes, mean in rows(out / "metrics.csv", process):
                if meter.learned(steps, episodes, mean):
                    return meter.answer()
    raise RuntimeError(f"{' '.join(command(entry, out))} ended before its time")


@contextmanager
def _running(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def rows(record: Path, process: subprocess.Popen[bytes]) -> Iterator[tuple[int, int, float]]:
    """Updates as they are recorded: agent-steps and episodes of the batch, mean return; ends when the process has."""
    began, known, episodes = time.monotonic(), 0, 0
    while not record.exists():
        if process.poll() is not None or time.monotonic() - began > START_SECONDS:
            return
        time.sleep(POLL_SECONDS)
    with record.open(newline="") as file:
        for row in csv.DictReader(_lines(file, process)):
            if not row["learning_rate"]:
                continue  # written by an evaluation
            steps, played = int(row["agent_steps"]), int(row["env_steps"]) // round(float(row["episode_length"]))
            yield steps - known, played - episodes, float(row["mixed_return"])
            known, episodes = steps, played


def _lines(file: Any, process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Whole lines of a file that grows, until the process has ended."""
    line = ""
    while process.poll() is None:
        line += file.readline()
        if line.endswith("\n"):
            yield line
            line = ""
        else:
            time.sleep(POLL_SECONDS)
