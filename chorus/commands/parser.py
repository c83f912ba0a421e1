"""The whole command line: every command, and how a fault ends it."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from chorus.commands import (
    actor,
    bench,
    certs,
    chaos,
    check_env,
    configs,
    diff,
    doctor,
    evaluate,
    export,
    faults,
    health,
    init,
    league,
    learner,
    replay,
    report,
    resume,
    settings,
    status,
    study,
    sweep,
    track,
    train,
    view,
)
from chorus.commands.completion import complete
from chorus.commands.examples import epilog
from chorus.commands.faults import CODES, USAGE
from chorus.commands.terminal import speak_plainly
from chorus.common.process.exiting import leave

COMMANDS = {
    "init": init,
    "doctor": doctor,
    "train": train,
    "resume": resume,
    "learner": learner,
    "actor": actor,
    "evaluate": evaluate,
    "league": league,
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
    "settings": settings,
    "configs": configs,
}
"""By name: modules with `SUMMARY`, `EXAMPLES`, `add_arguments(parser)` and `run(options) -> exit code`."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong and where help is, instead of repeating every option there is."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        choice = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        if choice:
            near = difflib.get_close_matches(choice[1], re.findall(r"'([^']+)'", choice[2]), n=1)
            message += f"; did you mean {near[0]}?" if near else ""
        self.exit(USAGE, f"{self.prog}: {message}\n`{self.prog} --help` explains every option\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = Parser(
        prog="chorus",
        description="Train a team of agents with one shared recurrent policy, on as many machines as there are.",
        epilog="exit codes:\n" + "\n".join(f"  {code:3}  {meaning}" for code, meaning in CODES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=f"{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.",
            epilog=epilog(module.EXAMPLES),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Show it, and end."""
        from importlib.metadata import version

        parser.exit(0, f"chorus {version('chorus-marl')}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code (`chorus.commands.faults.CODES`).

    Called without arguments it is this process's own command, and what it leaves behind ends with it.
    """
    speak_plainly()
    parser = build_parser()
    complete(parser)
    code = _run(parser.parse_args(arguments))
    return leave(code) if arguments is None else code


def _run(options: argparse.Namespace) -> int:
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as fault:
        return faults.end(options.command, fault)
