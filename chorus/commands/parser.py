"""The whole command line: every command, and how a fault ends it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from chorus.commands import (
    actor,
    bench,
    certs,
    chaos,
    check_env,
    diff,
    evaluate,
    export,
    health,
    learner,
    replay,
    report,
    status,
    study,
    sweep,
    track,
    train,
    view,
)
from chorus.common.errors import ChorusError
from chorus.common.process.logs import printable

COMMANDS = {
    "train": train,
    "learner": learner,
    "actor": actor,
    "evaluate": evaluate,
    "export": export,
    "status": status,
    "health": health,
    "sweep": sweep,
    "view": view,
    "report": report,
    "track": track,
    "diff": diff,
    "replay": replay,
    "chaos": chaos,
    "certs": certs,
    "bench": bench,
    "study": study,
    "check-env": check_env,
}
"""By name: modules with `SUMMARY`, `add_arguments(parser)` and `run(options) -> exit code`."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(
        prog="chorus",
        description="Train a team of agents with one shared recurrent policy, on as many machines as there are.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.SUMMARY)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0 well, 1 a fault explained on standard error, 2 wrong usage."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ChorusError as fault:
        return _complain(options.command, printable(str(fault)))
    except OSError as fault:
        return _complain(options.command, f"{fault.strerror or fault}: {fault.filename or ''}".rstrip(": "))


def _complain(command: str, fault: str) -> int:
    """Say why the command ends: in plain words, or as a line of the log where that is all that anybody reads."""
    if command in ("learner", "actor") and logging.getLogger().handlers and not sys.stderr.isatty():
        logging.getLogger("chorus").critical("ended by a fault", extra={"fault": fault})
    else:
        print(f"chorus {command}: {fault}", file=sys.stderr)
    return 1
