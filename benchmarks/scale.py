"""`scale`: ten thousand simulated actors around the real ledger, a thousand real streams, and what follows from the
measured costs about how many actors one learner serves."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import tempfile
import time
from dataclasses import replace
from math import ceil, inf
from pathlib import Path
from statistics import quantiles

from chorus.benchmarks.loopback import finish_client, start_client
from chorus.benchmarks.machine import proportional_set_size
from chorus.benchmarks.material import made_trajectory
from chorus.benchmarks.measurement import Effort, seconds_each
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene
from chorus.benchmarks.simulation import Simulation, Swarm
from chorus.benchmarks.stages import Stages, measure_stages
from chorus.common.tasks.task import Purpose, Task
from chorus.common.transport.wire import trajectory_chunks
from chorus.learner.bookkeeper import Progress
from chorus.learner.process import Listening, Serving, serve
from chorus.protos.chorus.v1 import rollout_pb2 as pb

SWARM_COLUMNS = (
    Column("actors", "actors", ",d"),
    Column("tasks_per_actor", "J / actors", "g"),
    Column("lag", "lag", "d"),
    Column("life", "mean life s", "g"),
    Column("shock", "die at once", ".0%"),
    Column("utilisation", "learner utilisation", ".2f"),
    Column("limit_utilisation", "by arrival order", ".2f"),
    Column("busy", "actors busy", ".2f"),
    Column("wasted", "wasted", ".2%"),
    Column("recovery", "recovery s", ".1f"),
    Column("deaths", "deaths", ",d"),
    Column("operations_per_second", "ledger operations/s needed", ",.0f"),
)
STREAM_COLUMNS = (
    Column("streams", "streams", ",d"),
    Column("tasks_per_second", "tasks/s", ",.0f"),
    Column("agent_steps_per_second", "agent-steps/s", ",.0f"),
    Column("limit_tasks_per_second", "one core of gradients alone, tasks/s", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("updates", "updates", "d"),
    Column("loop_microseconds", "loop core µs per task", ",.0f"),
    Column("late_median_milliseconds", "loop late by, median ms", ".1f"),
    Column("late_most_milliseconds", "99 % ms", ".1f"),
    Column("memory_megabytes", "memory MB", ",.0f"),
)
CAPACITY_COLUMNS = (
    Column("lstm", "LSTM", "d"),
    Column("weights_megabytes", "weights MB", ".1f"),
    Column("environment_microseconds", "environment µs per agent-step", ",.0f"),
    Column("gradient_microseconds", "gradient µs", ".1f"),
    Column("inference_microseconds", "inference µs", ".1f"),
    Column("by_gradient", "actors one core of gradients serves", ",.0f"),
    Column("by_workers", "… with 16 workers", ",.0f"),
    Column("by_loop", "… by the one loop", ",.0f"),
    Column("by_bandwidth", "… by 10 Gbit/s", ",.0f"),
    Column("by_ledger", "… by the ledger", ",.0f"),
    Column("first", "first bottleneck, with 16 workers"),
)
WORKERS = 16
BANDWIDTH = 10e9 / 8
TASKS_PER_ACTOR = 4


def measure(effort: Effort) -> list[Table]:
    """Simulations, real streams, and the arithmetic of capacity."""
    swarms = [_swarm(swarm) for swarm in _swarms(effort)]
    streams = [_streams(count, effort) for count in effort.pick([4], [200], [10, 1000])]
    loop = 1e-6 * float(streams[-1]["loop_microseconds"] or 0.0)
    capacity = [row for lstm in effort.pick([64], [64], [64, 256, 512]) for row in _capacity(lstm, loop, effort)]
    return [
        Table(
            "swarm",
            "The real ledger among simulated actors (tasks of 1 s, speeds unlike by e^±0.3, tasks uneven by e^±0.1, a"
            " tenth of the deaths unnoticed for 10 s); the learner could just do what all actors together yield",
            SWARM_COLUMNS,
            swarms,
        ),
        Table(
            "streams",
            "A real learner, whole, with real streams on loopback whose actors answer at once with a trajectory made"
            " beforehand; they share the machine with it",
            STREAM_COLUMNS,
            streams,
        ),
        Table(
            "capacity",
            "Actors of one core each that one learner serves, from this run's costs, and the first bottleneck",
            CAPACITY_COLUMNS,
            capacity,
        ),
    ]


# -- simulated


def _swarms(effort: Effort) -> list[Swarm]:
    def swarm(actors: int, each: int, lag: int, updates: int, life: float = inf, shock: float = 0.0) -> Swarm:
        gradient = 0.95 * 2 / actors  # two workers can just about do what the actors yield
        return Swarm(
            actors, actors * each, lag, updates, life=life, shock=shock, gradient=gradient, step=0.01, seed=actors
        )

    if effort is Effort.TINY:
        return [swarm(10, 2, 1, 4, 30.0, 0.5)]
    quick = [swarm(1_000, 4, 1, 6, 600.0), swarm(10_000, 1, 1, 4, 600.0)]
    if effort is Effort.QUICK:
        return quick
    grid = [swarm(actors, each, lag, 12) for actors in (10, 1_000) for each in (1, 4) for lag in (0, 1)]
    failing = [swarm(actors, 4, 1, 12, 600.0, shock) for actors in (100, 1_000) for shock in (0.0, 0.5)]
    return [*grid, *failing, swarm(10_000, 2, 1, 5, 600.0), swarm(10_000, 2, 1, 8, 600.0, 0.5)]


def _swarm(swarm: Swarm) -> Row:
    story = Simulation(swarm).run()
    free = Simulation(replace(swarm, arrival_order=True)).run() if swarm.actors <= 1_000 and not swarm.shock else None
    return {
        "actors": swarm.actors,
        "tasks_per_actor": swarm.tasks / swarm.actors,
        "lag": swarm.lag,
        "life": swarm.life if swarm.life < inf else None,
        "shock": swarm.shock,
        "utilisation": story.utilisation,
        "limit_utilisation": free.utilisation if free else None,
        "ratio": story.utilisation / free.utilisation if free else None,
        "busy": story.busy,
        "wasted": story.wasted,
        "recovery": story.recovery,
        "deaths": story.deaths,
        "operations_per_second": story.operations / story.seconds,
    }


# -- real


def _streams(count: int, effort: Effort) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_serve(count, Path(folder), effort))


async def _serve(count: int, folder: Path, effort: Effort) -> Row:
    allow_files(4 * count + 1_000)
    logging.disable(logging.INFO)
    tasks = max(8, count)
    updates = max(3, effort.pick(30, 2_000, 4_000) // tasks)
    settings = {"update": {"tasks": tasks}, "task": {"episodes": 8}, "updates": updates, "checkpoint": {"every": 10**6}}
    scene = Scene.of(settings, "environment.spec=spread?agents=3&steps=25")
    ends: list[float] = []
    loop: list[float] = []
    late: list[float] = []
    clients: list[asyncio.Task[asyncio.subprocess.Process]] = []

    def on_start(serving: Serving) -> None:
        clients.append(asyncio.create_task(start_client("play", serving.port, count)))

    def on_update(_: Progress) -> None:
        ends.append(time.perf_counter())
        loop.append(time.thread_time())

    watching = asyncio.create_task(_watch(late))
    try:
        await serve(scene.config, folder, Listening(), on_start=on_start, on_update=on_update)
        await finish_client(await clients[0])
    finally:
        watching.cancel()
        logging.disable(logging.NOTSET)
    played = made_trajectory(scene.spec, scene.config.episodes, Task(0, Purpose.TRAINING, 0))
    training = scene.training()
    limit = 1.0 / seconds_each(lambda: training.sums(played), effort)
    rate = (len(ends) - 1) * tasks / (ends[-1] - ends[0])
    quarters = quantiles(late, n=100) if len(late) > 1 else [0.0] * 99
    return {
        "streams": count,
        "tasks_per_second": rate,
        "agent_steps_per_second": rate * played.agent_steps,
        "limit_tasks_per_second": limit,
        "ratio": rate / limit,
        "updates": updates,
        "late_median_milliseconds": 1e3 * quarters[49],
        "late_most_milliseconds": 1e3 * quarters[98],
        "memory_megabytes": proportional_set_size(os.getpid()),
        "loop_microseconds": 1e6 * (loop[-1] - loop[0]) / ((len(loop) - 1) * tasks),
    }


async def _watch(late: list[float]) -> None:
    """How late the learner's loop comes to what is due: the time that an actor's question waits at worst."""
    while True:
        due = time.perf_counter() + 0.01
        await asyncio.sleep(0.01)
        late.append(max(0.0, time.perf_counter() - due))


def allow_files(wanted: int) -> None:
    """Let this process open so many, as far as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


# -- reckoned


def _capacity(lstm: int, loop_seconds: float, effort: Effort) -> list[Row]:
    scene = Scene.of({}, "environment.spec=spread?agents=3", f"network.lstm={lstm}", f"network.encoder={lstm}")
    stages: Stages = measure_stages(scene, effort)
    trajectory = scene.trajectory()
    training = scene.training()
    steps = trajectory.agent_steps
    gradient = seconds_each(lambda: training.sums(trajectory), effort) / steps
    size = sum(pb.FromActor(chunk=chunk).ByteSize() for chunk in trajectory_chunks(trajectory))
    weights = len(scene.version.data)
    rows: list[Row] = []
    for environment in effort.pick([0.4e-6], [0.4e-6, 1e-3], [0.4e-6, 100e-6, 10e-3]):
        task_seconds = steps * (environment + stages.inference)
        per_update = weights / TASKS_PER_ACTOR
        by = {
            "gradient": WORKERS * task_seconds / (steps * gradient),
            "the loop": task_seconds / loop_seconds,
            "bandwidth": task_seconds / ((size + per_update) / BANDWIDTH),
            "the ledger": task_seconds * 200_000 / 2,
        }
        first = min(by, key=lambda name: by[name])
        rows.append(
            {
                "lstm": lstm,
                "weights_megabytes": weights / 1e6,
                "environment_microseconds": 1e6 * environment,
                "gradient_microseconds": 1e6 * gradient,
                "inference_microseconds": 1e6 * stages.inference,
                "by_gradient": by["gradient"] / WORKERS,
                "by_workers": by["gradient"],
                "by_loop": by["the loop"],
                "by_bandwidth": by["bandwidth"],
                "by_ledger": by["the ledger"],
                "first": f"{first}, at {ceil(by[first]):,} actors",
            }
        )
    return rows
