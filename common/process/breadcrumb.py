"""The task that an actor is playing, written where it outlives the actor: its parent then knows in which task it died.

A few bytes in a file that both have open. The kernel keeps what was written whatever ends the process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from chorus.common.tasks.task import Purpose, Task

BYTES = 64


@dataclass(frozen=True)
class Breadcrumb:
    """Written by an actor through a file descriptor that it inherited; None where nobody looks."""

    descriptor: int | None = None

    def at(self, task: Task | None) -> None:
        """The actor begins this task, or is idle."""
        if self.descriptor is not None:
            text = "" if task is None else f"{int(task.purpose)} {task.update} {task.index}"
            os.pwrite(self.descriptor, text.encode().ljust(BYTES), 0)


def found(descriptor: int) -> Task | None:
    """The task that was being played at the last write; None for none."""
    numbers = os.pread(descriptor, BYTES, 0).split()
    if len(numbers) != 3:
        return None
    purpose, update, index = map(int, numbers)
    return Task(update, Purpose(purpose), index)
