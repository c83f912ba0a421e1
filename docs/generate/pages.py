"""Every generated page by its path, and the function that makes its text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generate import api, commands, settings, wire

ROOT = Path(__file__).resolve().parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/settings.md": settings.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/api.md": api.page,
    "docs/reference/wire.md": wire.page,
}
