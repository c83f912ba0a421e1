"""A learner that is killed between two passes: `python dies_in_a_step.py STEP PYTHON -m chorus ARGUMENTS…` runs the
command in this process, and SIGKILL ends it when optimiser step number STEP of this life has been taken.

The step is chosen, not the time: a kill from outside would hit the middle of an update by luck alone.
"""

import os
import signal
import sys
from typing import Any

from chorus.commands.parser import main
from chorus.common.process import arithmetic


def die_after(last: int) -> None:
    """Let this process end itself after so many optimiser steps."""
    arithmetic.pin()
    from chorus.learner.update.training import Training

    taken, original = 0, Training._step

    def step(training: Training, *arguments: Any, **named: Any) -> Any:
        nonlocal taken
        made = original(training, *arguments, **named)
        taken += 1
        if taken == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(Training, "_step", step)  # noqa: B010 - an assignment is what mypy refuses


if __name__ == "__main__":
    die_after(int(sys.argv[1]))
    sys.argv[1:] = sys.argv[5:]
    sys.exit(main())
