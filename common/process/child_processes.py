"""The child processes of a process, with their own children: finding and ending them."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """All processes below one, parents before children."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        parents.setdefault(int(after_name[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def end_descendants(pid: int) -> int:
    """End at once whatever lives below a process; return how many there were."""
    below = descendants(pid)
    return sum(end(one) for one in below)


def end(pid: int) -> bool:
    """End one process at once; whether it was there to be ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(leader: int) -> bool:
    """End at once whatever is left of a process group whose leader is gone; whether there was anything."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def ended_how(code: int) -> str:
    """An exit code in words, as `subprocess` and shells count them."""
    number = -code if code < 0 else code - 128 if 128 < code < 160 else 0
    if not number:
        return f"exit code {code}"
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit code {code}"
    return name if code < 0 else f"exit code {code}, as after {name}"
