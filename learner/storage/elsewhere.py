"""The run folder as a process of the learner has it that does not write it: process 0 does."""

from __future__ import annotations

from pathlib import Path


class Elsewhere:
    """What of a run folder is needed where there is none.

    Attributes:
        path: of the folder, as commands name it.
        irreproducible: why the run cannot be reproduced, as far as this process knows.
    """

    def __init__(self, path: Path) -> None:
        """Of the run in a folder that process 0 has."""
        self.path = path
        self.irreproducible: list[str] = []

    def mark_irreproducible(self, reason: str) -> None:
        """Note it; process 0 hears of it in the next round."""
        self.irreproducible.append(reason)

    def close(self) -> None:
        """Nothing is open."""
