"""Examples at the end of each command's help; `EXAMPLES` of a command holds pairs of (what for, command line)."""

from __future__ import annotations

from collections.abc import Sequence

Examples = Sequence[tuple[str, str]]


def epilog(examples: Examples) -> str:
    """The examples as they end a help text."""
    return "examples:\n" + "\n".join(f"  # {purpose}\n  {line}" for purpose, line in examples)
