"""Tasks that failed, or were being played when an actor died: tried again elsewhere, given up after three times."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from chorus.common.errors import TrainingFault
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.tasks.audit import audit_of
from chorus.learner.tasks.ledger import Ledger, Verdict

log = logging.getLogger("chorus.learner")

POLL_SECONDS = 0.1
POLLS = 50
"""So long the end of a stream may be in coming after its actor's process has ended."""
ABANDONED_OFTEN = 3
REMEMBERED = 256
"""Of so many actors that left it is known whether they had played anything."""


class Failures:
    """What is done about them. It ends no run itself: `give_up` does."""

    def __init__(
        self, ledger: Ledger, seed: int, replay: Callable[[Task], str], give_up: Callable[[TrainingFault], None]
    ):
        """`replay` names the command that shows a task again."""
        self._ledger = ledger
        self._seed = seed
        self._replay = replay
        self._give_up = give_up
        self._left: dict[str, int] = {}
        self._abandoned: Counter[Task] = Counter()

    def failed(self, name: str, task: Task, error: str, traceback: str) -> None:
        """An actor could not play a task.

        Raises:
            NotLeased: the actor was not given that task.
        """
        verdict = self._ledger.fail(name, task)
        log.warning("task failed", extra={"actor": name, "task": str(task), "error": error})
        self._judge(task, verdict, f"{error}\n{traceback}")

    def left(self, name: str) -> None:
        """An actor is about to leave the ledger.

        If it leaves in the middle of a task, that may be because somebody killed it, so nothing is given up for it. But
        where one task is left again and again, its environment may end the actors' processes, and who started those is
        not here to say so.
        """
        record = self._ledger.actors[name]
        self._left[name] = record.completed
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        task = next(iter(record.leases), None)
        if task is None:
            return
        self._abandoned[task] += 1
        if self._abandoned[task] == ABANDONED_OFTEN:
            log.warning(
                "actors leave in the middle of one task again and again",
                extra={
                    "task": str(task),
                    "times": ABANDONED_OFTEN,
                    "remedy": "if nobody kills them, its environment may end their processes: with"
                    " environment.isolation=process the task is named, with its last words",
                },
            )

    async def fell(self, name: str, task: Task | None, how: str) -> bool:
        """An actor that was started here ended of itself, without being told to; `task` is what it was at.

        The task is suspected as one that failed is. Return whether the actor had played anything since it was started.
        """
        for _ in range(POLLS):
            if name not in self._ledger.actors:
                break
            await asyncio.sleep(POLL_SECONDS)
        played = self._left.pop(name, 0) > 0
        if task is None:
            return played
        waiting = next((one for one in (task, audit_of(task)) if self._ledger.is_open(one)), None)
        if waiting is not None:
            log.warning("an actor died in a task", extra={"actor": name, "task": str(waiting), "how": how})
            self._judge(waiting, self._ledger.suspect(name, waiting), f"{name} died of itself: {how}\n")
        return True

    def close(self, update: int) -> None:
        """Forget the tasks of an update that is made."""
        for task in [task for task in self._abandoned if task.update <= update]:
            del self._abandoned[task]

    def _judge(self, task: Task, verdict: Verdict, last: str) -> None:
        if verdict is not Verdict.GIVEN_UP:
            return
        again = f"To see it again: {self._replay(task)}" if task.purpose is not Purpose.EVALUATION else ""
        self._give_up(
            TrainingFault(
                f"{task} failed on three tries (seed {self._seed}); the last one:\n{last.rstrip()}\n{again}".rstrip()
            )
        )
