"""The groups of a comparison as lines of text, best first."""

from __future__ import annotations

from typing import Any

HEAD = ("rank", "group", "runs", "mean", "95 % interval", "interquartile mean")


def table(comparison: dict[str, Any]) -> str:
    """What `chorus.runs.comparison.compare` found, as a table."""
    rows = [HEAD, *(_row(group) for group in comparison["groups"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(group: dict[str, Any]) -> tuple[str, ...]:
    return (
        group["rank"],
        group["name"],
        str(len(group["runs"])),
        _number(group["mean"]),
        "-" if group["low"] is None else f"{_number(group['low'])} to {_number(group['high'])}",
        _number(group["iqm"]),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
