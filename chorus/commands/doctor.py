"""`chorus doctor`: is this machine fit to train, and can it reach a learner?"""

from __future__ import annotations

import argparse

from chorus.commands.options import add_credentials, read_credentials
from chorus.common.process import arithmetic

SUMMARY = "check this machine: versions, cores, arithmetic, proxies, a learner, an environment"
EXAMPLES = (
    ("This machine alone", "chorus doctor"),
    ("Can an environment be imported here?", "chorus doctor --env spread?agents=5"),
    ("Digests to compare with another machine's, and with docs/reproducibility.md", "chorus doctor --arithmetic"),
    ("Can a learner be reached, and does it accept this machine?", "chorus doctor --learner 127.0.0.1:50051"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument("--learner", metavar="HOST:PORT", help="also try to reach this learner")
    parser.add_argument("--env", metavar="SPEC", help="also try to make this environment")
    parser.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="wait no longer (%(default)s)")
    parser.add_argument(
        "--arithmetic",
        action="store_true",
        help="play and learn a little of every kind, and show digests of it: equal ones, equal machines (needs torch)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_credentials(parser, "show to the learner, and ask of it")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code: 1 if something that was asked for cannot work."""
    credentials = read_credentials(options)
    arithmetic.pin(arithmetic.mode())
    if options.arithmetic:
        from chorus.studies.portability import tell

        return tell(options.json)
    from chorus.doctor.report import report

    return report(options, credentials)
