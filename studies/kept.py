"""What was measured of configs, kept seed by seed beside the page that tells of it.

A seed takes minutes to hours, so a page is made over days and machines: whoever goes on measures what is not there yet.
To have a seed measured again, delete its entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from chorus.studies.run import Json


class Kept:
    """The results of one study by name, arm, seed or whatever else they are told apart by."""

    def __init__(self, path: Path) -> None:
        """Those in a JSON file, which need not be there yet."""
        self._path = path
        self._found: Json = json.loads(path.read_text()) if path.exists() else {}

    def has(self, *keys: str) -> bool:
        """Whether there is one."""
        found: Any = self._found
        for key in keys:
            if key not in found:
                return False
            found = found[key]
        return True

    def below(self, *keys: str) -> Mapping[str, Any]:
        """All that is kept below these keys, in the order of theirs."""
        found: Any = self._found
        for key in keys:
            found = found.get(key, {})
        return dict(sorted(found.items()))

    def add(self, result: Json, *keys: str) -> None:
        """Keep one, with the date of today, and write the file."""
        found = self._found
        for key in keys[:-1]:
            found = found.setdefault(key, {})
        found[keys[-1]] = {**result, "date": date.today().isoformat()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._found, sort_keys=True, separators=(",", ":")) + "\n")


def days_of(dates: Iterable[str]) -> str:
    """The first and the last of some dates; one alone if they are the same."""
    days = sorted(set(dates))
    return " to ".join(dict.fromkeys(days[:1] + days[-1:]))
