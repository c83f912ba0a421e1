"""`chorus track RUN --to TRACKER`: a run told to a tracker from its folder, after it has ended or while it goes on.

In a process of its own: whatever a tracker costs, the learner does not pay for it.
"""

from __future__ import annotations

import time
from pathlib import Path

from chorus.api.callbacks import Callback, Progress
from chorus.api.run import Run
from chorus.common.page.curves import Record
from chorus.common.page.run_story import is_held

LOOK_SECONDS = 1.0


def follow(folder: Path, listener: Callback, wait: bool) -> int:
    """Tell every update in the record, and those to come while a learner is at work if `wait`; return how many.

    Raises:
        ChorusError: the folder holds no run.
    """
    run = Run(folder)
    updates = int(run.config["updates"])
    record = Record(run.path / "metrics.csv")
    told = 0
    listener.on_start(run)
    try:
        while True:
            at_work = is_held(run.path / "lock")  # asked first: what was written before the end is read below
            record.follow()
            values = record.values()
            for row in range(told, record.rows):
                metrics = {name: float(column[row]) for name, column in values.items()}
                listener.on_update(Progress(run, row + 1, updates, 0, metrics))
            told = max(told, record.rows)
            if not (wait and at_work):
                return told
            time.sleep(LOOK_SECONDS)
    finally:
        listener.on_end(run)
