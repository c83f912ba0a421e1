"""`page`: what it costs a learner that people look at its page, in turns with and without them in one run.

Beside the wall clock stands the learner's processor time per agent-step, which other programs on the machine disturb
little, and the processor time of the very threads that answer the lookers, which they do not disturb at all.
"""

from __future__ import annotations

import http.client
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from chorus.benchmarks.machine import processor_seconds
from chorus.benchmarks.measurement import Effort
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.train import FOR_EVER, SPREAD, updates
from chorus.common.page.site import AGAIN
from chorus.common.process import program

VIEWERS = 20
START_SECONDS = 300.0
SAMPLE_SECONDS = 0.2
SPREAD_SECONDS = 3.0
"""Lookers come one after the other within so many; then each asks again when it is told to, as `page.js` does."""
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Cache-Control": "no-cache",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0",
}
"""Those of a browser: to read them is most of what an answer costs."""

COLUMNS = (
    Column("viewers", "viewers", "d"),
    Column("agent_steps_per_second", "agent-steps/s, median turn", ",.0f"),
    Column("learner_microseconds", "learner's µs per agent-step, median turn", ".2f"),
    Column("requests_per_second", "answers/s", ".1f"),
    Column("share_of_learner_time", "answering: share of the learner's processor time", ".3%"),
    Column("share_of_wall_time", "and of the wall clock", ".3%"),
)


@dataclass(frozen=True)
class Turn:
    """What was seen in one turn: agent-steps, and seconds: by the clock, of the learner's and of answering threads."""

    steps: int
    wall: float
    learner: float
    answering: float
    answers: int


def measure(effort: Effort) -> list[Table]:
    """Turns without and with viewers, one after the other."""
    pairs, seconds = effort.pick((1, 1.0), (3, 15.0), (8, 30.0))
    settings = effort.pick(("--set", "task.episodes=4"), (), ())
    turns: dict[int, list[Turn]] = {0: [], VIEWERS: []}
    with tempfile.TemporaryDirectory() as folder, _training(Path(folder), settings) as (pid, out, address):
        for _ in range(pairs):
            for viewers, seen in turns.items():
                seen.append(_turn(pid, out, address, viewers, seconds))
    rows = [_row(viewers, seen) for viewers, seen in turns.items()]
    title = (
        f"`chorus train --config configs/spread.yaml --actors 1` by its defaults, its page looked at by nobody and by"
        f" {VIEWERS} in {pairs} turns of {seconds:.0f} s each"
    )
    return [Table("page", title, COLUMNS, rows)]


def _row(viewers: int, turns: list[Turn]) -> Row:
    return {
        "viewers": viewers,
        "agent_steps_per_second": median(turn.steps / turn.wall for turn in turns),
        "learner_microseconds": median(1e6 * turn.learner / max(1, turn.steps) for turn in turns),
        "requests_per_second": sum(turn.answers for turn in turns) / sum(turn.wall for turn in turns),
        "share_of_learner_time": sum(turn.answering for turn in turns) / sum(turn.learner for turn in turns),
        "share_of_wall_time": sum(turn.answering for turn in turns) / sum(turn.wall for turn in turns),
    }


@contextmanager
def _training(folder: Path, settings: Sequence[str]) -> Iterator[tuple[int, Path, str]]:
    """A learner at work: its process, its run folder, the address of its page."""
    out, said = folder / "run", folder / "said.txt"
    command = program.command("train", "--config", SPREAD, "--out", out, "--updates", str(FOR_EVER), "--actors", "1")
    command += ["--no-pictures", *settings]
    with said.open("wb") as file:
        process = subprocess.Popen(command, stdout=file)
    try:
        began = time.monotonic()
        while len(updates(out)) < 2:
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise RuntimeError(f"{' '.join(command)} made no two updates within {START_SECONDS:.0f} s")
            time.sleep(0.1)
        (address,) = (line.split()[-1] for line in said.read_text().splitlines() if line.startswith("page "))
        yield process.pid, out, address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _turn(pid: int, out: Path, address: str, viewers: int, seconds: float) -> Turn:
    before, threads = _threads(pid), dict[str, float]()
    with _Viewers(address, viewers) as lookers:
        steps, used, answers = _steps(out), processor_seconds(pid), lookers.answers
        at = time.monotonic()
        while time.monotonic() - at < seconds:  # a thread ends with its connection: what it spent is seen on the way
            time.sleep(SAMPLE_SECONDS)
            threads |= {thread: spent for thread, spent in _threads(pid).items() if thread not in before}
        steps, used, at = _steps(out) - steps, processor_seconds(pid) - used, time.monotonic() - at
        answers = lookers.answers - answers
    return Turn(steps, at, used, sum(threads.values()) if viewers else 0.0, answers)


def _steps(out: Path) -> int:
    """Agent-steps learned from so far; waits for the next update, so that turns begin and end with one."""
    known = len(updates(out))
    while len(updates(out)) == known:
        time.sleep(0.02)
    return int(updates(out)[-1]["agent_steps"])


def _threads(pid: int) -> dict[str, float]:
    """Processor seconds of each thread of a process so far."""
    spent = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent[thread.name] = int((thread / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since the folder was listed
    return spent


class _Viewers:
    """So many browsers that look, each with a connection of its own, until the `with` block ends."""

    def __init__(self, address: str, count: int) -> None:
        self.answers = 0
        self._address = urlsplit(address).netloc
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._look, args=(SPREAD_SECONDS * place / count,), name=f"viewer {place}")
            for place in range(count)
        ]

    def __enter__(self) -> _Viewers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _look(self, wait: float) -> None:
        line, tag = http.client.HTTPConnection(self._address, timeout=30), ""
        while not self._ended.wait(wait):
            headers = HEADERS | ({"If-None-Match": tag} if tag else {})
            try:
                line.request("GET", "/data.json", headers=headers)
                answer = line.getresponse()
            except (
                ConnectionError
            ):  # closed meanwhile, as connections are that are silent for long: browsers open another
                line.close()
                line.request("GET", "/data.json", headers=headers)
                answer = line.getresponse()
            answer.read()
            tag = answer.getheader("ETag") or ""
            with self._lock:
                self.answers += 1
            wait = float(answer.getheader(AGAIN) or SPREAD_SECONDS)
        line.close()
