"""What only a running learner knows of its run, for the page: its actors, its accounts, where its time goes.

Plain values, taken on the learner's own loop, where nothing changes under the hand; `Overview` asks it from elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prometheus_client import CollectorRegistry

from chorus.learner.service.server import Server

ANSWER_SECONDS = 3.0


class Overview:
    """Asks the learner from a thread of the web server."""

    def __init__(self, server: Server, registry: CollectorRegistry) -> None:
        """Make it on the loop that the server runs on."""
        self._server = server
        self._registry = registry
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> dict[str, Any]:
        """How the learner stands; if its loop does not answer, that is what is told."""
        asked = asyncio.run_coroutine_threadsafe(self._ask(), self._loop)
        try:
            told = asked.result(ANSWER_SECONDS)
        except TimeoutError:
            asked.cancel()
            return {"problem": self._server.ill() or f"the learner has not answered for {ANSWER_SECONDS:.0f} s: busy?"}
        return told | {"timing": self._timing()}

    async def _ask(self) -> dict[str, Any]:
        began = time.thread_time()
        told = overview(self._server, time.monotonic())
        return told | {"loop_seconds": time.thread_time() - began}

    def _timing(self) -> dict[str, float]:
        """Mean seconds of a task since the learner started: from lease to trajectory, and of its first gradient."""
        means = {}
        for name in ("task", "gradient"):
            metric = f"chorus_{name}_duration_seconds"
            families = self._registry.restricted_registry([f"{metric}_sum", f"{metric}_count"]).collect()
            told = {sample.name: sample.value for family in families for sample in family.samples}
            count = told.get(f"{metric}_count", 0.0)
            means[name] = told.get(f"{metric}_sum", 0.0) / count if count else 0.0
        return means


def overview(server: Server, now: float) -> dict[str, Any]:
    """The run as its learner sees it at `now` (monotonic seconds)."""
    coordinator = server.coordinator
    counts = coordinator.ledger.counts
    return {
        "state": coordinator.state,
        "problem": server.ill(),
        "lag": coordinator.config.lag,
        "workers": coordinator.workers,
        "remarks": list(coordinator.irreproducible),
        "accounts": {
            **vars(counts),
            "refused": coordinator.refused,
            "audited": coordinator.audits.done,
            "unequal": coordinator.audits.unequal,
        },
        "refusals": dict(server.refusals),
        "actors": [_actor(server, name, now) for name in coordinator.ledger.actors],
    }


def _actor(server: Server, name: str, now: float) -> list[Any]:
    """One actor's row: name, state, tasks completed, tasks a minute, updates behind, seconds since it was heard,
    remark."""
    record = server.coordinator.ledger.actors[name]
    stream = server.connections.get(name)
    if record.overdue:
        state = "late"
    elif record.leases:
        state = "playing"
    else:
        state = "waiting"
    if stream is None:
        return [name, "leaving", record.completed, 0.0, None, None, ""]
    minutes = max(now - stream.joined, 1.0) / 60.0
    behind = server.coordinator.training.update - stream.version if stream.version >= 0 else None
    return [
        name,
        state,
        record.completed,
        round(record.completed / minutes, 1),
        behind,
        round(max(0.0, now - stream.heard), 1),
        stream.remark,
    ]
