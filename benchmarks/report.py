"""The output of a benchmark: tables of numbers, shown as text, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Value = float | int | str | None
Row = dict[str, Value]


@dataclass(frozen=True)
class Column:
    """One column: the key of its values in JSON, its heading, how a number is written."""

    key: str
    heading: str
    form: str = ""


@dataclass(frozen=True)
class Table:
    """Figures of one kind.

    Attributes:
        name: short, unique in its benchmark.
        title: a sentence: what was measured, and against what.
        columns: those that a person sees; rows may hold more, for JSON.
        rows: the numbers.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {"name": self.name, "title": self.title, "rows": list(self.rows)}

    def text(self) -> str:
        """For a terminal."""
        cells = self._cells()
        widths = [max(len(line[place]) for line in cells) for place in range(len(self.columns))]
        lines = ["  ".join(_aligned(line, widths, self._is_text)) for line in cells]
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in lines)])

    def markdown(self) -> str:
        """For a document."""
        head, *body = self._cells()
        rule = ["---" if self._is_text(place) else "---:" for place in range(len(self.columns))]
        lines = [f"| {' | '.join(line)} |" for line in (head, rule, *body)]
        return "\n".join([self.title, "", *lines])

    def _cells(self) -> list[list[str]]:
        head = [column.heading for column in self.columns]
        return [head, *([_written(row.get(column.key), column.form) for column in self.columns] for row in self.rows)]

    def _is_text(self, place: int) -> bool:
        return any(isinstance(row.get(self.columns[place].key), str) for row in self.rows)


def _aligned(line: Sequence[str], widths: Sequence[int], is_text: Callable[[int], bool]) -> list[str]:
    return [
        cell.ljust(width) if is_text(place) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]


def _written(value: Value, form: str) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else format(value, form)
