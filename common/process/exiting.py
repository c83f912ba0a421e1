"""Ending a command although an environment left threads or child processes running in it.

Python waits for every thread that is not a daemon, and for child processes of `multiprocessing`, before it ends: a
simulator's thread that sleeps would keep a finished run for ever. So would a function of `atexit` that does not return.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

from chorus.common.process.child_processes import descendants, end

LEFT_BEHIND = "left behind"
"""The event that the log has for it."""
GRACE_SECONDS = 1.0
"""So long a thread may take that is about to end anyway."""
AT_EXIT_SECONDS = 10.0
"""So long may take what runs at exit."""


def left_behind() -> list[threading.Thread]:
    """The threads that would keep this process, after a while for those that are about to end."""
    own = threading.current_thread()
    threads = [t for t in threading.enumerate() if not t.daemon and t is not own and t is not threading.main_thread()]
    for thread in threads:
        thread.join(GRACE_SECONDS / len(threads))
    return [thread for thread in threads if thread.is_alive()]


def leave(code: int) -> int:
    """Return `code`, with which the process must end now; or, if something is left that would keep it, say what and end
    with `code` here."""
    threads, children = left_behind(), descendants(os.getpid())
    threading.Thread(target=_end_late, args=(code,), name="leaving", daemon=True).start()
    if not threads and not children:
        return code
    for thread in threads:
        _note(
            f"the thread {thread.name!r} was still running at the end, probably the environment's; end it in close(), "
            "or make it a daemon"
        )
    if children:
        _note(
            f"{len(children)} processes that were started from here were still running at the end, probably the "
            "environment's; end them in close()"
        )
    for child in children:
        end(child)
    if threads:
        _end_now(code)
    return code


def _end_late(code: int) -> None:
    """End a process that functions of `atexit` still keep."""
    time.sleep(AT_EXIT_SECONDS)
    _note(
        f"what was registered with atexit, probably by the environment, had not ended after {AT_EXIT_SECONDS:g} s; do"
        " such work in close()"
    )
    _end_now(code)


def _end_now(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _note(what: str) -> None:
    """On the log where there is one, else for the person at the terminal."""
    if logging.getLogger().handlers:
        logging.getLogger("chorus").warning(LEFT_BEHIND, extra={"what": what})
    else:
        print(f"chorus: note: {what}", file=sys.stderr)
