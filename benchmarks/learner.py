"""`learner`: the whole of a task's gradient, beside the matrix products that it cannot do without."""

from __future__ import annotations

from dataclasses import dataclass

from chorus.benchmarks import networks
from chorus.benchmarks.machine import product_rate, shaped_rate
from chorus.benchmarks.measurement import Effort, medians, seconds_each
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene, ragged
from chorus.common.policy.layout import layout
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.group.exact_sum import Column as Terms
from chorus.learner.group.exact_sum import add_up
from chorus.learner.group.group import ALONE
from chorus.learner.update.training import TaskSums

COLUMNS = (
    Column("lstm", "LSTM", "d"),
    Column("rows", "rows", "d"),
    Column("steps", "steps", "d"),
    Column("shape", "lengths"),
    Column("agent_steps", "agent-steps", ",d"),
    Column("agent_steps_per_second", "agent-steps/s", ",.0f"),
    Column("gflops", "GFLOP/s", ".1f"),
    Column("roofline", "of the core's products", ".2f"),
    Column("products", "of such products", ".2f"),
)
STEP_COLUMNS = (
    Column("lstm", "LSTM", "d"),
    Column("tasks", "tasks", "d"),
    Column("milliseconds", "ms", ".2f"),
    Column("limit_milliseconds", "limit ms", ".2f"),
    Column("share_of_update", "share of an update's gradients", ".3f"),
)


@dataclass(frozen=True)
class _Case:
    lstm: int
    rows: int
    steps: int


def measure(effort: Effort) -> list[Table]:
    """Gradients of single tasks (micro-batches), and the step that ends an update."""
    peak = product_rate(effort)
    rows: list[Row] = []
    for case in _cases(effort):
        rows += _gradients(case, peak, effort)
    title = (
        "One task's gradient, whole: returns, baseline, forward and backward pass, statistics; one core, beside its"
        f" {peak / 1e9:.0f} GFLOP/s in large matrix products and its rate in products of the recurrent shape"
    )
    steps = [_step(lstm, seconds, effort) for lstm, seconds in _task_seconds(rows)]
    closing = "The step that ends an update: sums in the order of tasks, clip, Adam, statistics, the new version's file"
    tables = [Table("gradient", title, COLUMNS, rows), Table("step", closing, STEP_COLUMNS, steps)]
    return [*tables, networks.gradients(effort)]


def _cases(effort: Effort) -> list[_Case]:
    small = [_Case(64, 96, 25)]
    quick = [_Case(64, 48, 25), *small, _Case(64, 1500, 25), _Case(256, 96, 25)]
    shapes = [(16, 60), (48, 25), (96, 25), (96, 100), (384, 25), (1500, 25), (1000, 100)]
    whole = [_Case(lstm, *shape) for lstm in (64, 256) for shape in (shapes if lstm == 64 else shapes[1:4])]
    return effort.pick(small, quick, whole)


def _scene(case: _Case) -> Scene:
    agents = 1 if case.rows % 3 else 3
    return Scene.of(
        {},
        f"environment.spec=spread?agents={agents}&steps={case.steps}",
        f"task.episodes={case.rows // agents}",
        f"network.lstm={case.lstm}",
        f"network.encoder={case.lstm}",
    )


def _gradients(case: _Case, peak: float, effort: Effort) -> list[Row]:
    scene = _scene(case)
    training, even = scene.training(), scene.trajectory()
    kinds = {"even": even, "ragged": ragged(even)}
    works = [lambda played=played: training.sums(played) for played in kinds.values()]
    shaped = shaped_rate(case.rows, 2 * case.lstm, 4 * case.lstm, effort)
    rows: list[Row] = []
    for (kind, played), seconds in zip(kinds.items(), medians(list(works), effort), strict=True):
        done = operations(scene, played) / seconds
        rows.append(
            {
                "lstm": case.lstm,
                "rows": case.rows,
                "steps": case.steps,
                "shape": kind,
                "agent_steps": played.agent_steps,
                "agent_steps_per_second": played.agent_steps / seconds,
                "gflops": done / 1e9,
                "limit_gflops": peak / 1e9,
                "roofline": done / peak,
                "limit_gflops_of_shape": shaped / 1e9,
                "products": done / shaped,
            }
        )
    return rows


def operations(scene: Scene, played: Trajectory) -> float:
    """Floating-point operations of the products that a gradient needs: forward, weights, and inputs but the first."""
    sizes = {name: draw.shape for name, draw in layout(scene.policies[0], scene.config).items()}
    products = {name: shape[0] * shape[1] for name, shape in sizes.items() if len(shape) == 2}
    return 2.0 * played.agent_steps * (3 * sum(products.values()) - products["encoder.weight"])


def _task_seconds(rows: list[Row]) -> list[tuple[int, float]]:
    return [
        (int(row["lstm"] or 0), float(row["agent_steps"] or 0) / float(row["agent_steps_per_second"] or 1))
        for row in rows
        if row["rows"] == 96 and row["steps"] == 25 and row["shape"] == "even"
    ]


def _step(lstm: int, task_seconds: float, effort: Effort) -> Row:
    scene = _scene(_Case(lstm, 96, 25))
    training = scene.training()
    sums: list[TaskSums] = [training.sums(scene.trajectory(index)) for index in range(scene.config.tasks)]
    gradients = [task.policies[0].step.gradient for task in sums]
    network = training._networks[0]
    terms = Terms([one for one in gradients if one is not None], len(network.flat))
    seconds = seconds_each(lambda: training.apply(sums), effort)
    limit = seconds_each(lambda: add_up([terms], len(sums), ALONE, network.flat.device), effort)
    return {
        "lstm": lstm,
        "tasks": len(sums),
        "milliseconds": 1e3 * seconds,
        "limit_milliseconds": 1e3 * limit,
        "ratio": limit / seconds,
        "share_of_update": seconds / (len(sums) * task_seconds),
    }
