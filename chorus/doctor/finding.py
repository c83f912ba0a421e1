"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a finding means."""

    OK = "ok"
    NOTE = "note"  # good to know; Chorus works
    PROBLEM = "problem"  # something that was asked for cannot work


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        topic: a word or two.
        text: what was found.
        verdict: what it means.
        remedy: what to do about it; empty if nothing needs to be done.
    """

    topic: str
    text: str
    verdict: Verdict = Verdict.OK
    remedy: str = ""
