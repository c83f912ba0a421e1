"""The page of commands, from the parser of the command line."""

from __future__ import annotations

import argparse

from chorus.commands.parser import COMMANDS, build_parser
from docs.generate.markdown import code, sentence, table

HEAD = """# Commands

Generated from the command line's own parser by `make derived`. `chorus COMMAND --help` prints the same.

Exit code 0 means that all is well, 1 that the answer is no, 2 that the command line is wrong. Every other code names a
kind of fault: see [faults](../faults.md). An actor whose environment hangs ends with 70.
"""


def page() -> str:
    """The whole page."""
    parsers = _parsers(build_parser())
    index = table(
        ["command", "what it does"],
        [[f"[`chorus {name}`](#chorus-{name})", COMMANDS[name].SUMMARY] for name in parsers],
    )
    return f"{HEAD}\n{index}" + "".join(_command(name, parser) for name, parser in parsers.items())


def _parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(commands.choices)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    text = f"\n(chorus-{name})=\n\n## chorus {name}\n\n{parser.description}\n"
    for group in parser._action_groups:
        rows = [_row(action, parser) for action in group._group_actions if action.dest != "help"]
        if not rows:
            continue
        head = "option" if any(action.option_strings for action in group._group_actions) else "argument"
        if group.title not in ("options", "positional arguments"):
            text += f"\n**{sentence(group.title or '')}**" + (
                f": {group.description}.\n" if group.description else "\n"
            )
        text += "\n" + table([head, "meaning"], rows)
    examples = "\n".join(f"# {purpose}\n{line}" for purpose, line in COMMANDS[name].EXAMPLES)
    return f"{text}\n```sh\n{examples}\n```\n"


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> list[str]:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    shown = " ".join(value) if isinstance(value, tuple) else str(value)
    if action.option_strings:
        name = ", ".join(action.option_strings) + (f" {shown}" if action.nargs != 0 else "")
    else:
        name = shown
    required = " Required." if action.required and action.option_strings else ""
    repeated = {"prog": parser.prog} | vars(action)
    return [code(name), sentence((action.help or "") % repeated) + required]
