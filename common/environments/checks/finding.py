"""One thing that was found of an environment, and what it means for training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a finding means for training."""

    FACT = "fact"
    NOTE = "note"  # good to know; training works
    FAULT = "fault"  # Chorus cannot train on it


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        topic: a word or two.
        text: what was found.
        verdict: what it means for training.
        remedy: what to do about it; empty for plain facts.
    """

    topic: str
    text: str
    verdict: Verdict = Verdict.FACT
    remedy: str = ""
