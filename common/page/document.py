"""The page as one file: markup, style, scripts and charts, with the data inside or fetched from beside it.

Nothing is loaded from elsewhere. Data stand in a JSON block and reach the page as text nodes only, and a content
security policy names the very scripts and styles by their digests, so that no name in a run can become markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SCRIPTS = (
    "uPlot.iife.min.js",
    "format.js",
    "elements.js",
    "charts.js",
    "diagnostics.js",
    "run.js",
    "comparison.js",
    "page.js",
)
STYLES = ("uPlot.min.css", "page.css")


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes:
        html: all of it, UTF-8.
        policy: its content security policy, for a server to send too.
    """

    html: bytes
    policy: str


def document(title: str, data: dict[str, Any] | None = None) -> Document:
    """A page that shows `data`, or, without any, asks for `data.json` beside it again and again."""
    style, script = _style(), _script()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    told = "" if data is None else json.dumps(data, allow_nan=False, separators=(",", ":"))
    told = told.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    parts = {"policy": html.escape(policy), "title": html.escape(title), "style": style, "script": script, "data": told}
    text = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _asset("page.html"))  # once: parts hold anything
    return Document(text.encode(), policy)


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _style() -> str:
    return "\n".join(map(_asset, STYLES))


@cache
def _script() -> str:
    return "\n".join([f"/*!\n{_asset('uPlot.LICENSE')}*/", *map(_asset, SCRIPTS)])  # whoever gets the file gets it


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
