"""`ledger`: leases and answers per second with few actors and with very many."""

from __future__ import annotations

import heapq

from chorus.benchmarks.measurement import Effort, medians
from chorus.benchmarks.report import Column, Row, Table
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.ledger import Ledger

COLUMNS = (
    Column("actors", "actors", ",d"),
    Column("operations_per_second", "operations/s", ",.0f"),
    Column("limit_operations_per_second", "heap and dict alone", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("of_least", "of that with the fewest actors", ".2f"),
)


def measure(effort: Effort) -> list[Table]:
    """Whole updates: tasks opened, every one leased and answered, closed; an operation is a lease or an answer."""
    rows: list[Row] = []
    for actors in effort.pick([10], [10, 1_000, 100_000], [10, 1_000, 100_000]):
        rows.append(_ledger(actors, effort))
        rows[-1]["of_least"] = float(rows[-1]["operations_per_second"] or 0) / float(
            rows[0]["operations_per_second"] or 1
        )
    title = (
        "Leases and answers per second, with opening and closing of tasks, alarms and accounts in the clock; the limit"
        " pushes to and pops from heaps of the same length, and sets and deletes entries, as often"
    )
    return [Table("ledger", title, COLUMNS, rows)]


def _ledger(actors: int, effort: Effort) -> Row:
    """Every actor always holds one task; the batch is as large as the actors are many, up to 10 000."""
    ledger = Ledger(60.0)
    names = [f"actor-{number}" for number in range(actors)]
    for name in names:
        ledger.join(name)
    width = min(actors, 10_000)
    updates = max(1, 2_000 // width)
    clock = _Clock()
    state = {"update": 0, "actor": 0}

    def work() -> None:
        for _ in range(updates):
            tasks = [Task(state["update"], Purpose.TRAINING, index) for index in range(width)]
            ledger.open(tasks)
            first = state["actor"]
            held = []
            for place in range(width):
                name = names[(first + place) % actors]
                held.append((name, ledger.lease(name, clock.tick())))
            for name, task in held:
                if task is not None:
                    ledger.complete(name, task, clock.tick())
            ledger.close(tasks)
            state["update"] += 1
            state["actor"] = (first + width) % actors

    heaps: list[list[tuple[float, int, Task]]] = [[], []]
    entries: dict[Task, dict[str, float]] = {}

    def limit() -> None:
        for _ in range(updates):
            tasks = [Task(state["update"], Purpose.TRAINING, index) for index in range(width)]
            for place, task in enumerate(tasks):
                for heap in heaps:
                    heapq.heappush(heap, (clock.tick(), place, task))
                entries[task] = {names[place]: 0.0}
            for task in tasks:
                for heap in heaps:
                    heapq.heappop(heap)
                del entries[task]

    seconds, least = medians([work, limit], effort)
    operations = 2 * width * updates
    return {
        "actors": actors,
        "operations_per_second": operations / seconds,
        "limit_operations_per_second": operations / least,
        "ratio": least / seconds,
    }


class _Clock:
    """Time that goes on by itself: a task takes about as long as the others."""

    def __init__(self) -> None:
        self._now = 0.0

    def tick(self) -> float:
        self._now += 1e-4
        return self._now
