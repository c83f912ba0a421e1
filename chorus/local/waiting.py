"""Why there is no update yet, printed after a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chorus.learner.process import Serving
from chorus.protos.chorus.v1 import rollout_pb2 as pb

PATIENCE_SECONDS = 5.0


async def tell_why(serving: Serving, tell: Callable[[str], None], trouble: Callable[[], str] = lambda: "") -> None:
    """Say every few seconds what the first update waits for, until it is there.

    Args:
        serving: the learner.
        tell: takes a reason; the same one comes once.
        trouble: what whoever starts actors knows of their end; empty if nothing.
    """
    told = ""
    while True:
        await asyncio.sleep(PATIENCE_SECONDS)
        status = serving.status()
        if status.update > serving.resumed_at:
            return
        why = reason(status, serving.config.tasks, serving.address, trouble())
        if why != told:
            told = why
            tell(why)


def reason(status: pb.StatusReply, tasks: int, address: str, trouble: str = "") -> str:
    """What an update of so many tasks waits for."""
    after = f"; {trouble}" if trouble else ""
    if not status.actors:
        return f"no actor has joined yet at {address}: each first makes its environment and proves it{after}"
    done = min(status.tasks.completed, tasks)
    count = len(status.actors)
    actors = "1 actor plays" if count == 1 else f"{count} actors play"
    if done < tasks:
        return f"{actors} the first batch, {done} of {tasks} tasks are done{after}"
    return f"{actors}, and the gradient of the first batch is being computed{after}"
