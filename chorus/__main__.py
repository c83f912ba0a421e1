"""The `chorus` command. Reads the command line and hands over; heavy imports wait until a subcommand needs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chorus import check_env
from common import arithmetic
from common.errors import ChorusError


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="chorus",
        description="Train a team of agents with one shared recurrent policy, on as many machines as there are.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train on this machine: a learner and its actors")
    _add_settings(train)
    train.add_argument("--actors", type=_positive, metavar="N", help="actor processes (default: one per core)")
    train.add_argument("--out", type=Path, metavar="DIR", help="run folder (default: runs/ENVIRONMENT-DATE-TIME)")
    train.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="more actors may join here")
    _add_metrics(train)
    train.set_defaults(run=_train)

    learner = commands.add_parser("learner", help="the central learner alone; actors come from elsewhere")
    _add_settings(learner)
    learner.add_argument("--out", type=Path, metavar="DIR", required=True, help="run folder")
    learner.add_argument(
        "--listen", default="127.0.0.1:50051", metavar="HOST:PORT", help="where actors connect (%(default)s)"
    )
    _add_metrics(learner)
    learner.set_defaults(run=_learner)

    actor = commands.add_parser("actor", help="one actor: plays what the learner asks for")
    actor.add_argument("--learner", required=True, metavar="HOST:PORT", help="where the learner listens")
    actor.add_argument("--name", metavar="NAME", help="id of this actor (default: host, process and a random part)")
    actor.add_argument("--parent", type=int, metavar="PID", help="end when this is no longer the parent process")
    _add_metrics(actor)
    actor.set_defaults(run=_actor)

    evaluate = commands.add_parser("evaluate", help="play episodes with a run's policy and report the return")
    evaluate.add_argument("dir", type=Path, metavar="DIR", help="run folder")
    evaluate.add_argument("--episodes", type=_positive, default=100, metavar="N", help="how many (%(default)s)")
    evaluate.add_argument("--seed", type=int, default=0, metavar="S", help="of these episodes (%(default)s)")
    evaluate.add_argument("--greedy", action="store_true", help="take the likeliest action instead of a sample")
    evaluate.add_argument("--gif", type=Path, metavar="FILE", help="also film one episode")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)

    status = commands.add_parser("status", help="ask a learner how its run stands")
    status.add_argument("address", metavar="HOST:PORT", help="where the learner listens")
    status.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="wait no longer (%(default)s)")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=_status)

    check = commands.add_parser("check-env", help="see whether Chorus can train on an environment, and what is wrong")
    check_env.add_arguments(check)
    check.set_defaults(run=check_env.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0 well, 1 a fault explained on standard error, 2 wrong usage."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ChorusError as fault:
        print(f"chorus {options.command}: {fault}", file=sys.stderr)
        return 1
    except OSError as fault:
        print(
            f"chorus {options.command}: {fault.strerror or fault}: {fault.filename or ''}".rstrip(": "), file=sys.stderr
        )
        return 1


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as YAML")
    parser.add_argument("--env", metavar="SPEC", help="environment.spec, for example spread?agents=5")
    parser.add_argument("--updates", metavar="U", help="updates")
    parser.add_argument("--seed", metavar="S", help="seed")
    parser.add_argument("--lag", metavar="L", help="lag")
    parser.add_argument("--device", metavar="D", help="device: cpu, cuda or cuda:1")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any setting; may be repeated")
    parser.add_argument(
        "--mixed-arithmetic", action="store_true", help="let unlike machines play together; not reproducible"
    )
    parser.add_argument("--init-from", type=Path, metavar="RUN", help="start from the final weights of another run")


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics-port", type=int, metavar="P", help="serve Prometheus metrics here (default: not at all)"
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="listen here for them (%(default)s)"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _train(options: argparse.Namespace) -> int:
    config = _settings(options)
    from chorus.train import train

    return train(config, options)


def _learner(options: argparse.Namespace) -> int:
    config = _settings(options)
    from chorus.learner import learn

    return learn(config, options)


def _actor(options: argparse.Namespace) -> int:
    arithmetic.pin(os.environ.get(arithmetic.MODE, "portable"))
    from actor.process import run
    from common import logs

    logs.start()
    return run(options.learner, options.name, options.metrics_port, options.metrics_host, options.parent)


def _evaluate(options: argparse.Namespace) -> int:
    arithmetic.pin()
    from chorus.evaluate import evaluate

    return evaluate(options)


def _status(options: argparse.Namespace) -> int:
    from chorus.status import status

    return status(options.address, options.timeout, options.json)


def _settings(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # Config is imported here, before NumPy
    """The configuration that the command line describes; pins its arithmetic."""
    from common import config as configuration

    settings = configuration.read(options.config) if options.config else {}
    settings.pop("run", None)
    shortcuts = {
        "environment.spec": options.env,
        "updates": options.updates,
        "seed": options.seed,
        "lag": options.lag,
        "device": options.device,
        "mixed_arithmetic": "true" if options.mixed_arithmetic else None,
    }
    for key, value in shortcuts.items():
        if value is not None:
            configuration.override(settings, f"{key}={value}")
    for assignment in options.set:
        configuration.override(settings, assignment)
    config = configuration.check(settings)
    arithmetic.pin(config.arithmetic)
    os.environ[arithmetic.MODE] = config.arithmetic
    return config


if __name__ == "__main__":
    sys.exit(main())
