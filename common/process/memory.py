"""How much memory there is for this process: the machine's, or less where a container says so."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory() -> int:
    """Bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [path.read_text().strip() for path in CGROUP if path.exists()]
    return min([physical, *(int(limit) for limit in limits if limit.isdigit())])
