"""The blocks of code on a page of docs/, to be run as a reader would run them."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The blocks in that language, in order."""
    return [code for kind, code in FENCE.findall((DOCS / page).read_text()) if kind == language]
