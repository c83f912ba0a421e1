"""`train`: whole runs by the command that people type, beside the bound that the stages' costs set."""

from __future__ import annotations

import csv
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from chorus.benchmarks.machine import cores, processor_seconds, proportional_set_size
from chorus.benchmarks.measurement import Effort
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import ONE_STEP, RECIPE, Scene
from chorus.benchmarks.stages import Stages, measure_stages
from chorus.common.errors import EnvironmentFault
from chorus.common.process import arithmetic, program
from chorus.common.settings.plain import read

COLUMNS = (
    Column("environment", "environment"),
    Column("actors", "actors", "d"),
    Column("lag", "lag", "d"),
    Column("batch", "episodes × tasks"),
    Column("passes", "passes", "d"),
    Column("agent_steps_per_second", "agent-steps/s", ",.0f"),
    Column("limit_agent_steps_per_second", "bound", ",.0f"),
    Column("efficiency", "efficiency", ".2f"),
    Column("first_update_seconds", "first update s", ".1f"),
    Column("memory_megabytes", "memory MB", ".0f"),
    Column("actor_megabytes", "an actor MB", ".0f"),
)
COST_COLUMNS = (
    Column("environment", "environment"),
    Column("lag", "lag", "d"),
    Column("batch", "episodes × tasks"),
    Column("passes", "passes", "d"),
    Column("environment_microseconds", "environment", ".2f"),
    Column("inference_microseconds", "inference", ".2f"),
    Column("gradient_microseconds", "forward + backward, all passes", ".2f"),
    Column("actor_microseconds", "actors' processor time", ".2f"),
    Column("learner_microseconds", "learner's processor time", ".2f"),
    Column("idle_microseconds", "idle or others", ".2f"),
)
SPREAD = Path(__file__).resolve().parents[1] / "configs" / "spread.yaml"
Which = tuple[str, int, int, tuple[str, ...]]
"""Environment (none: that of `SPREAD`), actors, lag, and the settings that a scene is laid over."""
LARGE: tuple[str, ...] = (*ONE_STEP, "task.episodes=64", "update.tasks=2")
"""The batch that the targets of docs/benchmarks.md were set for: twice the default, in half as many tasks."""
FOR_EVER = 1_000_000
START_SECONDS = 60.0
ENVIRONMENTS = (
    "",
    "pettingzoo:mpe2.simple_spread_v3?N=3",
    "vmas:navigation?n_agents=3",
    "gymnasium:Foraging-10x10-3p-3f-v3",
)


def measure(effort: Effort) -> list[Table]:
    """Several environments, numbers of actors, lags; then where the processors' time went."""
    runs: list[Which] = effort.pick([("", 1, 0, ONE_STEP)], [("", 2, 0, ONE_STEP), ("", 2, 0, RECIPE)], _runs())
    costs: dict[tuple[str, tuple[str, ...]], tuple[Scene, Stages]] = {}
    rows = []
    for spec, actors, lag, base in runs:
        if (spec, base) not in costs:
            try:
                scene = _scene(spec, base)
            except EnvironmentFault:  # its package is not installed
                continue
            costs[spec, base] = scene, measure_stages(scene, effort)
        rows.append(_run(*costs[spec, base], actors, lag, base, effort))
    return [
        Table(
            "train",
            f"`chorus train --config configs/spread.yaml`, from the first update on, on {cores()} cores: one pass by"
            " plain REINFORCE, and the defaults' passes. The bound: what the cores could do if only environment,"
            " inference, and the forward and backward pass of every pass cost anything",
            COLUMNS,
            rows,
        ),
        Table(
            "costs",
            "Core-microseconds per agent-step: the stages alone, and what the processes really used",
            COST_COLUMNS,
            rows,
        ),
    ]


def _runs() -> list[Which]:
    spread: list[Which] = [("", actors, lag, ONE_STEP) for actors, lag in ((1, 0), (2, 0), (3, 0), (4, 0), (2, 1))]
    spread += [("", 2, lag, LARGE) for lag in (0, 1)]
    others = [(spec, 2, lag, ONE_STEP) for spec in ENVIRONMENTS[1:] for lag in (0, 1)]
    return spread + others + [(spec, 2, lag, RECIPE) for spec in ENVIRONMENTS[:2] for lag in (0, 1)]


def _scene(spec: str, base: tuple[str, ...]) -> Scene:
    settings = read(SPREAD)
    return Scene.of(settings, *([f"environment.spec={spec}"] if spec else []), base=base)


def _run(scene: Scene, stages: Stages, actors: int, lag: int, base: tuple[str, ...], effort: Effort) -> Row:
    """A run that is stopped after some seconds; the rate is that of the updates in between, whatever they met."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = program.command("train", "--config", SPREAD, "--out", out)
        command += ["--env", scene.config.environment.spec, "--updates", str(FOR_EVER)]
        command += [word for assignment in base for word in ("--set", assignment)]
        command += ["--actors", str(actors), "--lag", str(lag), "--set", f"arithmetic={arithmetic.setting()}"]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not updates(out):
                if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    raise RuntimeError(f"{' '.join(command)} made no update within {START_SECONDS:.0f} s")
                time.sleep(0.02)
            first = time.monotonic() - began
            time.sleep(effort.pick(0.5, 1.0, 2.0))
            before, used = updates(out)[-1], _processor_seconds(process.pid)
            at = time.monotonic()
            time.sleep(effort.pick(1.0, 5.0, 8.0))
            memory = _memory(process.pid)
            used = {who: seconds - used[who] for who, seconds in _processor_seconds(process.pid).items()}
            wall = time.monotonic() - at
            rows = updates(out)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    last = rows[-1]
    taken = float(last["seconds"]) - float(before["seconds"])
    rate = (int(last["agent_steps"]) - int(before["agent_steps"])) / max(taken, 1e-9)
    bound = stages.bound(cores(), actors)
    return {
        "environment": scene.config.environment.spec,
        "actors": actors,
        "lag": lag,
        "batch": f"{scene.config.episodes} × {scene.config.tasks}",
        "passes": scene.config.update.passes,
        "agent_steps_per_second": rate,
        "limit_agent_steps_per_second": bound,
        "efficiency": rate / bound,
        "first_update_seconds": first,
        "memory_megabytes": sum(memory),
        "actor_megabytes": median(memory[1:]),
        "environment_microseconds": 1e6 * stages.environment,
        "inference_microseconds": 1e6 * stages.inference,
        "gradient_microseconds": 1e6 * stages.gradient,
        "actor_microseconds": 1e6 * used["actors"] / wall / rate,
        "learner_microseconds": 1e6 * used["learner"] / wall / rate,
        "idle_microseconds": 1e6 * (cores() - (used["actors"] + used["learner"]) / wall) / rate,
    }


def updates(out: Path) -> list[dict[str, str]]:
    """Whole rows of the record so far."""
    path = out / "metrics.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["learning_rate"]]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _processor_seconds(pid: int) -> dict[str, float]:
    """Processor time of the learner and of all actors so far."""
    return {"learner": processor_seconds(pid), "actors": sum(processor_seconds(child) for child in children(pid))}


def _memory(pid: int) -> list[float]:
    """Proportional set sizes in MB: the learner's, then each actor's."""
    return [proportional_set_size(process) for process in (pid, *children(pid))]
