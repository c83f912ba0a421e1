"""Watches the thread that plays: tells the learner once a second that this actor lives, and ends it if it hangs.

An environment that hangs cannot be interrupted from Python, so the process has to go: whoever started it starts it
again, and the learner, told by `on_hang` what it was at, counts the task as failed.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from chorus.common.environments.user_errors import stack as stack_of
from chorus.common.process.child_processes import end_descendants

log = logging.getLogger("chorus.actor")

BEAT_SECONDS = 1.0
GRACE_SECONDS = 2.0
"""How long what `on_hang` sends may take to get out."""
EXIT_CODE = 70
STUCK_IN_C_SECONDS = 30.0
"""So much later the process ends even if other code holds the interpreter, where no Python can."""


class Watchdog:
    """Watches from entry to exit of its `with` block; the watched thread calls `moved` whenever it gets on.

    Beats are counted, not seconds: while the whole process is stopped (SIGSTOP, a frozen container) it does not hang.
    """

    def __init__(self, patience: float, on_beat: Callable[[], None], on_hang: Callable[[str], None]) -> None:
        """`patience`: seconds without `moved` that count as hanging; `on_hang` gets the watched thread's stack."""
        self._patience = patience
        self._on_beat = on_beat
        self._on_hang = on_hang
        self._moves = 0
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def moved(self) -> None:
        """The watched thread gets on."""
        self._moves += 1

    def _watch(self) -> None:
        seen, still = -1, 0.0
        while not self._ended.wait(BEAT_SECONDS):
            self._on_beat()
            if self._moves != seen:
                seen, still = self._moves, 0.0
                faulthandler.dump_traceback_later(self._patience + STUCK_IN_C_SECONDS, exit=True)
                continue
            still += BEAT_SECONDS
            if still > self._patience:
                self._bite(still)

    def _bite(self, still: float) -> None:
        frame = sys._current_frames().get(self._watched)
        stack = stack_of(frame) if frame else "the thread is gone"
        log.error("hanging, so this process ends", extra={"seconds": still, "stack": stack})
        self._on_hang(stack)
        self._ended.wait(GRACE_SECONDS)
        if not self._ended.is_set():
            end_descendants(os.getpid())
            os._exit(EXIT_CODE)
