"""The page of the wire contract, from the .proto file and its comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from docs.generate.markdown import code, table

PROTO = Path(__file__).resolve().parents[2] / "protos" / "chorus" / "v1" / "rollout.proto"
FIELD = re.compile(r"^(?P<type>(?:repeated )?[\w.]+(?:<[^>]*>)?) (?P<name>\w+) = (?P<number>\d+);$")
VALUE = re.compile(r"^(?P<name>\w+) = (?P<number>\d+);$")
CALL = re.compile(r"^rpc (?P<name>\w+)\((?P<type>[^)]*)\) returns \((?P<reply>[^)]*)\);$")

HEAD = """# Wire contract

Generated from `protos/chorus/v1/rollout.proto` by `make derived`. That file is the contract: actors in any language
can be written against it.

"""


@dataclass
class Block:
    """A message, an enum or a service, with what is written about it."""

    kind: str
    name: str
    comment: list[str]
    rows: list[list[str]] = field(default_factory=list)


def page() -> str:
    """The whole page."""
    lines = PROTO.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("syntax"))
    intro = [line.removeprefix("//").removeprefix(" ") for line in lines[:start]]
    return HEAD + _preamble(intro) + "".join(map(_section, blocks(lines[start:])))


def blocks(lines: list[str]) -> list[Block]:
    """Every message, enum and service, in the order of the file; one nested in another comes after it.

    A comment belongs to what follows it; a comment behind a statement goes on in lines that begin at its column.
    """
    found: list[Block] = []
    opened: list[Block] = []
    comment: list[str] = []
    behind: int | None = None  # the column of the comment behind the last statement
    for line in lines:
        statement, slashes, remark = line.partition("//")
        column, statement, remark = line.find("//"), statement.strip(), remark.strip()
        if not statement and slashes and column == behind:
            opened[-1].rows[-1][-1] += f" {remark}"
            continue
        if not statement:
            comment = [*comment, remark] if slashes and not remark.startswith("---") else []
            continue
        begins = re.match(r"^(message|enum|service|oneof) (\w+) \{(\})?$", statement)
        if begins and begins[1] == "oneof":
            opened.append(opened[-1])
        elif begins:
            found.append(Block(begins[1], begins[2], comment))
            opened += [] if begins[3] else [found[-1]]
        elif statement == "}":
            opened.pop()
        elif opened:
            _statement(opened[-1], statement, [*comment, remark] if remark else comment)
        comment, behind = [], column if slashes else None
    return found


def _statement(block: Block, statement: str, comment: list[str]) -> None:
    for pattern in (FIELD, VALUE, CALL):
        match = pattern.match(statement)
        if match:
            parts = match.groupdict()
            kind = f"{parts['type']} → {parts['reply']}" if "reply" in parts else parts.get("type", "")
            block.rows.append([parts.get("number", ""), code(parts["name"]), code(kind), " ".join(comment)])
            return
    raise ValueError(f"{PROTO.name}: {statement!r} is no field, value or call that docs/generate/wire.py knows")


def _preamble(lines: list[str]) -> str:
    """Comment text as Markdown: indented stretches are drawings, all else paragraphs."""
    text, drawing = "", False
    for line in lines:
        if line.startswith("  ") != drawing and line:
            drawing = not drawing
            text += "```\n" if not drawing else "```text\n"
        text += f"{line}\n"
    return text + ("```\n" if drawing else "")


def _section(block: Block) -> str:
    text = f"\n## {block.kind} {block.name}\n"
    if block.comment:
        text += f"\n{' '.join(block.comment)}\n"
    if not block.rows:
        return text + "\nNo fields.\n"
    head = {"service": ["call", "type", "meaning"], "enum": ["number", "name", "meaning"]}.get(
        block.kind, ["number", "field", "type", "meaning"]
    )
    rows = {"service": [row[1:] for row in block.rows], "enum": [[*row[:2], row[3]] for row in block.rows]}.get(
        block.kind, block.rows
    )
    return text + "\n" + table(head, rows)
