"""`memory`: peaks of a learner and an actor, from few agents and short episodes to many and long ones.

Peaks are those that the kernel keeps of a process (`VmHWM`), of whole runs by the defaults. From each the peak of a run
with next to no work is taken away. What is left is held against what the observations weigh that must be there at once:
those of a batch at the learner, those of a task at the actor. So a row whose memory grows faster than its work shows.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from chorus.benchmarks.measurement import Effort
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import RECIPE, Scene
from chorus.benchmarks.train import children
from chorus.common.process import program

COLUMNS = (
    Column("agents", "agents", "d"),
    Column("steps", "steps", "d"),
    Column("episodes", "episodes of a task", "d"),
    Column("tasks", "tasks of an update", "d"),
    Column("agent_steps", "agent-steps of an update", ",d"),
    Column("limit_batch_megabytes", "their observations MB", ",.1f"),
    Column("learner_megabytes", "learner's peak MB", ",.0f"),
    Column("learner_bytes", "… bytes per agent-step", ",.0f"),
    Column("learner_times", "… of the observations", ".2f"),
    Column("actor_megabytes", "actor's peak MB", ",.0f"),
    Column("actor_bytes", "… bytes per agent-step of a task", ",.0f"),
    Column("actor_times", "… of the observations", ".2f"),
)
NOTHING = (1, 1, ("task.episodes=2", "update.tasks=1"))
"""A run whose memory is that of the programs."""
UPDATES = 3
POLL_SECONDS = 0.02

Case = tuple[int, int, tuple[str, ...]]
"""Agents, steps of an episode, settings beside the defaults."""
SMALL: tuple[Case, ...] = ((3, 25, ()),)
SOME: tuple[Case, ...] = tuple((agents, steps, ()) for agents, steps in ((3, 25), (3, 200), (30, 25), (100, 25)))
ALL: tuple[Case, ...] = tuple(
    (agents, steps, ())
    for agents, longest in ((3, 1000), (30, 1000), (100, 1000), (300, 200))
    for steps in (25, 200, 1000)
    if steps <= longest
)
"""A single episode of 300 agents and 1000 steps holds 2 GB of observations: left out."""


def measure(effort: Effort) -> list[Table]:
    """A run for each number of agents and steps, and one with next to no work."""
    empty = _peaks(*NOTHING)
    rows = [_row(case, empty) for case in effort.pick(SMALL, SOME, ALL)]
    title = (
        f"`chorus train --env spread --actors 1` by the defaults, {UPDATES} updates; bytes and ratios are of what is"
        f" above a run with next to no work (learner {empty[0]:.0f} MB, actor {empty[1]:.0f} MB)"
    )
    return [Table("memory", title, COLUMNS, rows)]


def _row(case: Case, empty: tuple[float, float]) -> Row:
    agents, steps, settings = case
    scene = Scene.of({}, f"environment.spec={spec(agents, steps)}", *settings, base=RECIPE)
    scene.environment.close()
    learner, actor = _peaks(*case)
    one = 4 * scene.spec.agents[0].observation_size
    of_task = scene.config.episodes * agents * steps
    of_batch = scene.config.tasks * of_task
    above = 1e6 * max(0.0, learner - empty[0]), 1e6 * max(0.0, actor - empty[1])
    return {
        "agents": agents,
        "steps": steps,
        "episodes": scene.config.episodes,
        "tasks": scene.config.tasks,
        "agent_steps": of_batch,
        "limit_batch_megabytes": of_batch * one / 1e6,
        "learner_megabytes": learner,
        "learner_bytes": above[0] / of_batch,
        "learner_times": above[0] / (of_batch * one),
        "actor_megabytes": actor,
        "actor_bytes": above[1] / of_task,
        "actor_times": above[1] / (of_task * one),
    }


def spec(agents: int, steps: int) -> str:
    """The built-in environment at this size."""
    return f"spread?agents={agents}&steps={steps}"


def _peaks(agents: int, steps: int, settings: tuple[str, ...]) -> tuple[float, float]:
    """Peaks of a whole run in MB: the learner's, its actor's."""
    with tempfile.TemporaryDirectory() as folder:
        command = program.command("train", "--env", spec(agents, steps), "--out", Path(folder) / "run")
        command += ["--updates", str(UPDATES), "--actors", "1", "--no-pictures", "--no-page"]
        command += [word for assignment in settings for word in ("--set", assignment)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        learner = actor = 0.0
        try:
            while process.poll() is None:
                with suppress(FileNotFoundError, ProcessLookupError):  # one of them has just ended
                    learner = max(learner, peak(process.pid))
                    actors = [child for child in children(process.pid) if "actor" in words(child)]
                    actor = max([actor, *(peak(child) for child in actors)])
                time.sleep(POLL_SECONDS)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return learner, actor


def words(pid: int) -> list[str]:
    """A process's command line; one that is about to become another program still has its parent's, and its memory."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def peak(pid: int) -> float:
    """The most memory that a process has had so far, in MB; 0 for one that has ended and is not yet gone."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
