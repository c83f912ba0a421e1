"""`actor`: inference beside its bare products, and whole actors beside what they consist of."""

from __future__ import annotations

import numpy as np

from chorus.actor.inference import Inference
from chorus.actor.sampling import sample
from chorus.benchmarks import networks
from chorus.benchmarks.measurement import Effort, medians, seconds_each
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene
from chorus.benchmarks.stages import Stages, measure_stages
from chorus.common.errors import EnvironmentFault
from chorus.common.tasks.task import Purpose, Task
from chorus.common.transport.wire import trajectory_chunks

INFERENCE_COLUMNS = (
    Column("lstm", "LSTM", "d"),
    Column("rows", "rows", "d"),
    Column("microseconds", "µs per step", ".0f"),
    Column("rows_per_second", "rows/s", ",.0f"),
    Column("limit_microseconds", "its products µs", ".0f"),
    Column("ratio", "ratio", ".2f"),
)
ACTOR_COLUMNS = (
    Column("environment", "environment"),
    Column("rows", "rows", "d"),
    Column("agent_steps_per_second", "agent-steps/s", ",.0f"),
    Column("limit_agent_steps_per_second", "environment + inference", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("environment_alone", "environment alone", ",.0f"),
    Column("share_of_environment", "ratio", ".2f"),
)
ENVIRONMENTS = (
    "spread?agents=3",
    "pettingzoo:mpe2.simple_spread_v3?N=3",
    "gymnasium:lbforaging/Foraging-10x10-3p-3f-v3",
)


def measure(effort: Effort) -> list[Table]:
    """Inference at several widths; whole actors on several environments."""
    widths = effort.pick([(64, 96)], [(64, 3), (64, 96)], [(64, n) for n in (3, 24, 96, 384)] + [(256, 96)])
    inference = [_inference(lstm, rows, effort) for lstm, rows in widths]
    found = [_actor(spec, effort) for spec in ENVIRONMENTS[: effort.pick(1, 1, 3)]]
    return [
        Table(
            "inference",
            "One step of all rows with sampling, on one core, beside its three matrix products alone",
            INFERENCE_COLUMNS,
            inference,
        ),
        Table(
            "actor",
            "A whole actor on one core (draws, environment, inference, recording, encoding), beside environment and"
            " inference alone, and beside the environment with random actions",
            ACTOR_COLUMNS,
            [row for row in found if row],
        ),
        networks.steps(effort),
    ]


def _inference(lstm: int, rows: int, effort: Effort) -> Row:
    scene = Scene.of(
        {}, "environment.spec=spread?agents=3", f"network.lstm={lstm}", f"network.encoder={lstm}", "task.episodes=2"
    )
    spec = scene.policies[0]
    generator = np.random.default_rng(0)
    inference = Inference(scene.version.tensors(), spec, rows)
    inputs = generator.random((rows, spec.input_size), np.float32)
    draws = generator.random((rows, 1), np.float32)
    shapes = ((spec.input_size, lstm), (2 * lstm, 4 * lstm), (lstm, spec.output_size))
    factors = [
        (generator.random((rows, inner), np.float32), generator.random((inner, outer), np.float32))
        for inner, outer in shapes
    ]

    def step() -> None:
        sample(inference.step(inputs), spec.agent.choices, draws, None, False)

    def products() -> None:
        for left, right in factors:
            np.matmul(left, right)

    seconds, limit = medians([step, products], effort)
    return {
        "lstm": lstm,
        "rows": rows,
        "microseconds": 1e6 * seconds,
        "rows_per_second": rows / seconds,
        "limit_microseconds": 1e6 * limit,
        "ratio": limit / seconds,
    }


def _actor(name: str, effort: Effort) -> Row | None:
    try:
        scene = Scene.of({}, f"environment.spec={name}")
    except EnvironmentFault:  # its package is not installed
        return None
    player, count = scene.player(), 0

    def play() -> None:
        nonlocal count
        count += 1
        played = player.play(scene.version, Task(0, Purpose.TRAINING, count % 4), scene.config.episodes)
        for chunk in trajectory_chunks(played):
            chunk.SerializeToString()

    stages: Stages = measure_stages(scene, effort)
    steps = sum(scene.trajectory(index).agent_steps for index in range(4)) / 4
    rate = steps / seconds_each(play, effort)
    limit = 1.0 / (stages.environment + stages.inference)
    scene.environment.close()
    return {
        "environment": name,
        "rows": scene.rows,
        "agent_steps_per_second": rate,
        "limit_agent_steps_per_second": limit,
        "ratio": rate / limit,
        "environment_alone": 1.0 / stages.environment,
        "share_of_environment": rate * stages.environment,
    }
