"""`chorus sweep FILE` and `chorus.sweep(...)`: the runs of a plan, each a `chorus train`, then their report."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import inf, isfinite
from pathlib import Path
from statistics import fmean
from typing import Any

from chorus.common.errors import ChorusError, ConfigError
from chorus.common.page.run_story import is_held
from chorus.common.process import program
from chorus.common.settings.plain import read
from chorus.runs.comparison import Run, compare, read_runs
from chorus.runs.report import report
from chorus.sweeps.choose import choose, load_optuna
from chorus.sweeps.folder import SweepFolder
from chorus.sweeps.plan import Plan, Trial, parse
from chorus.sweeps.search import Choice
from chorus.sweeps.table import table

OUTPUT_TOLD = 2000
ORPHAN_SECONDS = 60.0


class Stopped(ChorusError):
    """The sweep was asked to stop; the same call goes on from here."""


def sweep(
    plan: Mapping[str, Any] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    films: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Do all runs of a sweep that are not done yet, as many at a time as cores allow; return its report.

    Args:
        plan: `{"settings": …, "vary": …, "seeds": 5}` (`chorus/sweeps/plan.py`), or a YAML file of that; with
            "search" in the place of "vary", what is run next follows from what was reached (`chorus/sweeps/search.py`).
        out: the sweep's folder; one that holds this very sweep is gone on with.
        jobs: runs side by side; None for one for every core and actor.
        films: whether the report shows the trained and the untrained team.
        say: told, in a line each, what is done.

    Raises:
        ConfigError: the plan is impossible, or the folder holds another.
        RunFolderError: another sweep is at work there.
        Stopped: by Ctrl-C or SIGTERM; every run at work wrote a checkpoint.
        ChorusError: some runs failed; the others were done, and the report tells of all.
    """
    made = read_plan(plan)
    if made.search is not None:
        load_optuna()  # first of all: what is missing is not to be found out after the first round
    trials: list[Trial] = []
    failed: list[tuple[Trial, str]] = []
    with SweepFolder(Path(out), made) as folder:
        crew = _Crew(folder, made, say)
        jobs = jobs or max(1, len(os.sched_getaffinity(0)) // made.actors)
        for part in _rounds(folder, made, say):
            trials += part
            failed += crew.do(part, jobs)
        runs = runs_of(folder, trials)
        if runs:
            say(table(compare(runs)))
        title = f"Sweep {folder.path.name}"
        written = report([folder.path], folder.path / "report.html", title, films) if runs else None
    if failed:
        told = "; ".join(f"{trial.name}: {why}" for trial, why in failed[:5])
        raise ChorusError(f"{len(failed)} of {len(trials)} runs failed, and would be tried again: {told}")
    assert written is not None, "a plan has at least one run"
    return written


def do_one(plan: Mapping[str, Any] | str | os.PathLike[str], out: str | os.PathLike[str], number: int) -> Path:
    """Do one run of a sweep, by its place in the plan: what a task of a cluster's array does; return its folder.

    Raises:
        ConfigError: there is no such run, or the folder holds another sweep.
        ChorusError: it failed.
    """
    made = read_plan(plan)
    trials = made.trials()  # of a search there are none to be numbered: refused
    if not 0 <= number < len(trials):
        raise ConfigError(f"--only {number}: the sweep has runs 0 to {len(trials) - 1}")
    with SweepFolder(Path(out), made, shared=True) as folder:
        trial = trials[number]
        failed = _Crew(folder, made, print).do([trial], 1)
        if failed:
            raise ChorusError(f"{trial.name} failed: {failed[0][1]}")
        return folder.run(trial)


def _rounds(folder: SweepFolder, plan: Plan, say: Callable[[str], None]) -> Iterator[list[Trial]]:
    """The runs to be done side by side, and then, once they are done, the next ones: for a search, a round each."""
    if plan.search is None:
        yield plan.trials()
        return
    chosen = folder.choices()
    known: list[tuple[Choice, float]] = []
    while len(known) < plan.search.combinations:
        part = chosen[len(known) : len(known) + plan.search.round]
        if not part:
            part = choose(plan.search, known)
            chosen += part
            folder.keep_choices(chosen)
        trials = [plan.trials_of(number, choice) for number, choice in enumerate(part, len(known))]
        yield [trial for of_one in trials for trial in of_one]
        reached = [fmean(map(folder.reached, of_one)) for of_one in trials]
        known += zip(part, reached, strict=True)
        best, value = max(known, key=lambda one: one[1] if isfinite(one[1]) else -inf)
        words = ", ".join(f"{name} {setting}" for name, setting in best.items())
        told = f"the best so far reaches {value:.4g}: {words}" if isfinite(value) else "all have failed"
        say(f"{len(known)} of {plan.search.combinations} combinations tried; {told}")


def read_plan(plan: Mapping[str, Any] | str | os.PathLike[str]) -> Plan:
    """The plan in a file, or of plain values.

    Raises:
        ConfigError: it cannot be read, or is impossible.
    """
    if isinstance(plan, Mapping):
        return parse(plan)
    return parse(read(Path(plan)), Path(plan).parent)


def runs_of(folder: SweepFolder, trials: list[Trial]) -> list[Run]:
    """The runs that have begun."""
    return read_runs([folder.run(trial) for trial in trials if _begun(folder, trial)])


def _begun(folder: SweepFolder, trial: Trial) -> bool:
    return (folder.run(trial) / "config.yaml").exists()


class _Crew:
    """Does runs side by side, each a process; ends them all when it is asked to stop."""

    def __init__(self, folder: SweepFolder, plan: Plan, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._actors = plan.actors
        self._say = say
        self._lock = threading.Lock()
        self._working: set[subprocess.Popen[bytes]] = set()
        self._stopping = threading.Event()
        self._done = 0
        self._count = plan.count

    def do(self, trials: list[Trial], jobs: int) -> list[tuple[Trial, str]]:
        """Do those that are not done yet, so many side by side; return those that failed, each with why.

        Raises:
            Stopped: by a signal.
        """
        left = [trial for trial in trials if not self._folder.is_done(trial)]
        if len(left) < len(trials):
            self._done += len(trials) - len(left)
            self._say(f"{len(trials) - len(left)} of {len(trials)} runs are done already")
        if not left:
            return []
        main = threading.current_thread() is threading.main_thread()
        before = {number: signal.signal(number, self._stop) for number in SIGNALS} if main else {}
        try:
            with ThreadPoolExecutor(min(jobs, len(left)), thread_name_prefix="sweep") as pool:
                futures = [pool.submit(self._do, trial) for trial in left]
                try:
                    results = [future.result() for future in futures]
                except BaseException:
                    self._stop()
                    raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._stopping.is_set():
            raise Stopped(f"stopped; the same sweep into {self._folder.path} goes on from here")
        return [(trial, why) for trial, why in zip(left, results, strict=True) if why]

    def _do(self, trial: Trial) -> str:
        """Do one; return why it failed, or nothing."""
        began = time.monotonic()
        command = program.command(
            *("train", "--config", self._folder.config(trial), "--out", self._folder.run(trial)),
            *("--actors", self._actors, "--no-pictures", "--no-page", "--parent", os.getpid()),
        )
        if "workers" not in trial.settings.get("learner", {}):
            command += ["--set", "learner.workers=1"]  # runs side by side, not threads; changes no bit
        output = self._folder.output(trial)
        self._wait_for_orphan(trial)
        with output.open("wb") as file:
            with self._lock:
                if self._stopping.is_set():
                    return ""
                process = subprocess.Popen(  # a session of its own: Ctrl-C reaches the sweep, which ends it in order
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
                )
                self._working.add(process)
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self._working.discard(process)
        if self._stopping.is_set():
            return ""
        self._done += 1
        if code:
            why = output.read_text(encoding="utf-8", errors="replace").strip()[-OUTPUT_TOLD:].splitlines()
            self._say(f"{self._done}/{self._count}  {trial.name} FAILED: {output}")
            return why[-1] if why else f"exit code {code}"
        self._say(f"{self._done}/{self._count}  {trial.name} done in {time.monotonic() - began:.0f} s")
        return ""

    def _wait_for_orphan(self, trial: Trial) -> None:
        """A run that outlived a killed sweep notices so within seconds, and writes its checkpoint first."""
        waited = time.monotonic()
        while is_held(self._folder.run(trial) / "lock") and time.monotonic() - waited < ORPHAN_SECONDS:
            if self._stopping.wait(0.2):
                return

    def _stop(self, *_: object) -> None:
        with self._lock:
            self._stopping.set()
            for process in self._working:
                process.terminate()


SIGNALS = (signal.SIGINT, signal.SIGTERM)
