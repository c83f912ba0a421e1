"""`chorus actor`: one actor."""

from __future__ import annotations

import argparse
import os

from chorus.commands.arguments import addresses, positive
from chorus.commands.options import add_credentials, add_monitoring, read_credentials
from chorus.common.process import arithmetic

SUMMARY = "one actor: plays tasks for a learner"
EXAMPLES = (
    ("Join the learner on this machine", "chorus actor --learner 127.0.0.1:50051"),
    ("Allow the environments of your own module", "chorus actor --learner 127.0.0.1:50051 --allow-env 'my_team:*'"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument(
        "--learner",
        type=addresses,
        required=True,
        metavar="HOST:PORT",
        help="where the learner listens; of one of several processes all of them, with commas between, or a name that"
        " stands for all",
    )
    parser.add_argument("--name", metavar="NAME", help="id of this actor (host, process and a random part)")
    parser.add_argument("--parent", type=positive, metavar="PID", help="end when this is no longer the parent process")
    parser.add_argument("--breadcrumb", type=int, metavar="FD", help="write the task being played into this open file")
    parser.add_argument(
        "--allow-env",
        action="append",
        default=os.environ.get("CHORUS_ALLOW_ENV", "").split(),
        metavar="MODULE:FACTORY",
        help="an environment of your own that this actor may import, with * and ?; may be repeated"
        " (default: only the environments that Chorus knows)",
    )
    parser.add_argument(
        "--only-audits", action="store_true", help="play audits only: tasks that other actors have played"
    )
    add_monitoring(parser)
    add_credentials(parser, "show to the learner, and ask of it")


def run(options: argparse.Namespace) -> int:
    """Run it; return the exit code."""
    credentials = read_credentials(options)
    arithmetic.pin(arithmetic.mode())
    from chorus.actor.process import Settings
    from chorus.actor.process import run as run_actor
    from chorus.common.process import logs, redirection

    logs.start(to=redirection.keep_apart())
    return run_actor(
        Settings(
            options.learner,
            options.name,
            options.metrics_port,
            options.metrics_host,
            options.health_port,
            credentials,
            tuple(options.allow_env),
            options.only_audits,
            options.parent,
            options.breadcrumb,
        )
    )
