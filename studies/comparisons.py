"""The comparisons of one study, judged together: of many differences that are none, some look like one by chance.

Holm's correction (Holm 1979, A simple sequentially rejective multiple test procedure): sort the p values of the m
comparisons, and believe in the k-th smallest (k = 0, 1, …) as long as it and all before it are below 0.05 / (m - k).
Then the chance that even one difference is told that does not exist is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chorus.studies.interval import Interval, difference, p_value

LEVEL = 0.05
"""The chance of telling a difference where there is none, over all comparisons of a study."""

T = TypeVar("T")


@dataclass(frozen=True)
class Judgement:
    """One comparison.

    Attributes:
        gap: by how much ours are greater, paired by seed, with its own 95 % interval.
        sign: 1 if ours are greater, -1 if theirs are, 0 if that is not shown.
        uncorrected: the interval alone would have shown a difference; among so many comparisons it does not.
    """

    gap: Interval
    sign: int
    uncorrected: bool

    @property
    def size(self) -> str:
        """The difference, counted from the worse to the better; as it is where none is shown."""
        return Interval(self.gap.mean * (self.sign or 1), self.gap.half, self.gap.count).text()

    @property
    def none(self) -> str:
        """What is said where no difference is shown."""
        why = (
            "once corrected for the number of comparisons"
            if self.uncorrected
            else f"that {self.gap.count} seeds can show"
        )
        return f"no difference {why} ({self.gap.text()})"


class Comparisons:
    """Judges comparisons in the order in which they are made, and keeps their p values."""

    def __init__(self, believed: Sequence[bool] | None = None) -> None:
        """With `believed`, one for each comparison to come; without, none is corrected."""
        self._believed = believed
        self.p_values: list[float] = []

    def judge(self, ours: Sequence[float], theirs: Sequence[float]) -> Judgement:
        """Compare results whose n-th values come from the same seed."""
        gap, p = difference(ours, theirs), p_value(ours, theirs)
        alone = p < LEVEL
        believed = alone if self._believed is None else self._believed[len(self.p_values)]
        self.p_values.append(p)
        sign = 0 if not believed else 1 if gap.mean > 0.0 else -1
        return Judgement(gap, sign, alone and not believed)


def together(findings: Callable[[Comparisons], T]) -> T:
    """What `findings` says when all the comparisons that it makes are judged together."""
    alone = Comparisons()
    findings(alone)
    return findings(Comparisons(holm(alone.p_values)))


def holm(p_values: Sequence[float]) -> list[bool]:
    """Which of some p values are believed in, in their own order."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    believed = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] >= LEVEL / (len(p_values) - rank):
            break
        believed[place] = True
    return believed
