"""Files whose content may be replaced while a process lives: certificates and tokens that are rolled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class Watched:
    """Whether files have changed since they were looked at last. A file that is away for a moment is a change, too."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Look at them for the first time."""
        self._paths = tuple(paths)
        self._seen = self._look()

    def changed(self) -> bool:
        """Whether any was written anew, replaced, or put under a link anew, since the last call."""
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_marks(path) for path in self._paths)


def _marks(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
