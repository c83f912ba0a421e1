"""The `chorus` command. Reads the command line and hands over; heavy imports wait until a subcommand needs them."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from chorus import check_env
from common import arithmetic
from common.errors import ChorusError
from common.logs import printable

STUDIES = ("sharing", "reduction", "variance", "rewards", "lag", "memory", "baselines")


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
    train.add_argument("--no-pictures", action="store_true", help="leave out curve.png and episode.gif")
    train.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="more actors may join here")
    train.add_argument(
        "--profile", action="store_true", help="record a timeline of learner and actors; say what bounded the run"
    )
    _add_metrics(train)
    _add_credentials(train, "show to actors, and ask of them")
    train.set_defaults(run=_train)

    learner = commands.add_parser("learner", help="the central learner alone; actors come from elsewhere")
    _add_settings(learner)
    learner.add_argument("--out", type=Path, metavar="DIR", required=True, help="run folder")
    learner.add_argument(
        "--listen", default="127.0.0.1:50051", metavar="HOST:PORT", help="where actors connect (%(default)s)"
    )
    _add_metrics(learner)
    _add_credentials(learner, "show to actors, and ask of them")
    learner.set_defaults(run=_learner)

    actor = commands.add_parser("actor", help="one actor: plays what the learner asks for")
    actor.add_argument("--learner", required=True, metavar="HOST:PORT", help="where the learner listens")
    actor.add_argument("--name", metavar="NAME", help="id of this actor (default: host, process and a random part)")
    actor.add_argument("--parent", type=int, metavar="PID", help="end when this is no longer the parent process")
    actor.add_argument(
        "--allow-env",
        action="append",
        default=os.environ.get("CHORUS_ALLOW_ENV", "").split(),
        metavar="MODULE:FACTORY",
        help="an environment of one's own that this actor may import, * and ? allowed; may be repeated"
        " (default: only what Chorus brings with it)",
    )
    actor.add_argument("--only-audits", action="store_true", help="take nothing but second runs of what others played")
    _add_metrics(actor)
    _add_credentials(actor, "show to the learner, and ask of it")
    actor.set_defaults(run=_actor)

    evaluate = commands.add_parser("evaluate", help="play episodes with a run's policy and report the return")
    evaluate.add_argument("dir", type=Path, metavar="DIR", help="run folder")
    evaluate.add_argument("--episodes", type=_positive, default=100, metavar="N", help="how many (%(default)s)")
    evaluate.add_argument("--seed", type=int, default=0, metavar="S", help="of these episodes (%(default)s)")
    evaluate.add_argument("--greedy", action="store_true", help="take the likeliest action instead of a sample")
    evaluate.add_argument(
        "--untrained",
        metavar="AGENTS",
        help="glob pattern of agents that play by the weights that the run began with; '*' for all",
    )
    evaluate.add_argument("--gif", type=Path, metavar="FILE", help="also film one episode")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(run=_evaluate)

    status = commands.add_parser("status", help="ask a learner how its run stands")
    status.add_argument("address", metavar="HOST:PORT", help="where the learner listens")
    status.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="wait no longer (%(default)s)")
    status.add_argument("--json", action="store_true", help="print JSON")
    _add_credentials(status, "show to the learner, and ask of it")
    status.set_defaults(run=_status)

    health = commands.add_parser("health", help="exit with 0 if a learner or an actor is well: a probe for containers")
    health.add_argument(
        "address",
        metavar="HOST:PORT",
        help="of a learner; or of either, http(s)://HOST:METRICS-PORT or grpc://HOST:HEALTH-PORT",
    )
    health.add_argument("--timeout", type=float, default=5.0, metavar="SECONDS", help="wait no longer (%(default)s)")
    _add_credentials(health, "show, and ask of the other side")
    health.set_defaults(run=_later("chorus.health"))

    diff = commands.add_parser("diff", help="compare two runs, to the first update at which they part")
    diff.add_argument("first", type=Path, metavar="RUN_A", help="run folder")
    diff.add_argument("second", type=Path, metavar="RUN_B", help="run folder")
    diff.set_defaults(run=_later("chorus.diff"))

    replay = commands.add_parser("replay", help="play one task of a run again, from its run folder alone")
    replay.add_argument("dir", type=Path, metavar="RUN", help="run folder")
    replay.add_argument("--update", type=int, required=True, metavar="U", help="the update that it belongs to")
    replay.add_argument("--task", type=int, required=True, metavar="J", help="its place in the batch")
    replay.add_argument("--gif", type=Path, metavar="FILE", help="also film its first episode")
    replay.set_defaults(run=_later("chorus.replay"))

    chaos = commands.add_parser("chaos", help="train in peace and under faults, and see that nothing differs")
    _add_settings(chaos)
    chaos.add_argument("--out", type=Path, required=True, metavar="DIR", help="empty folder for both runs")
    chaos.add_argument("--actors", type=_positive, default=3, metavar="N", help="actor processes (%(default)s)")
    chaos.add_argument("--faults", type=_positive, default=50, metavar="N", help="how many (%(default)s)")
    chaos.add_argument("--chaos-seed", type=int, default=0, metavar="S", help="of the faults (%(default)s)")
    chaos.add_argument("--only", action="append", default=[], metavar="KIND", help="this kind; may be repeated")
    chaos.set_defaults(run=_chaos)

    certs = commands.add_parser("certs", help="make certificates for mutual TLS: an authority, a learner's, an actor's")
    certs.add_argument("dir", type=Path, metavar="DIR", help="folder for them, made if need be")
    certs.add_argument(
        "--host", action="append", default=[], metavar="HOST", help="name or address of the learner; may be repeated"
    )
    certs.add_argument("--days", type=_positive, default=90, metavar="N", help="how long they hold (%(default)s)")
    certs.add_argument(
        "--metrics-host",
        action="append",
        default=[],
        metavar="HOST",
        help="name by which actors are asked for metrics; may be repeated (default: none, so they serve no TLS)",
    )
    certs.add_argument("--group", action="store_true", help="let the files' group read the keys, not the owner alone")
    certs.add_argument(
        "--renew",
        action="store_true",
        help="leave those there if they hold for another week, else replace them",
    )
    certs.set_defaults(run=_later("chorus.certs"))

    bench = commands.add_parser("bench", help="measure speed, every figure beside its limit")
    bench.add_argument("names", nargs="*", metavar="NAME", help="learner, actor, wire, broadcast, ledger, train, scale")
    bench.add_argument("--quick", action="store_true", help="a minute for all instead of ten; rougher figures")
    bench.add_argument(
        "--arithmetic", choices=["portable", "native"], default="portable", help="of all that is run (%(default)s)"
    )
    shown = bench.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON instead of tables")
    shown.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    bench.add_argument(
        "--out", type=Path, default=Path("runs/bench.json"), metavar="FILE", help="write JSON here (%(default)s)"
    )
    bench.set_defaults(run=_later("benchmarks.suite"))

    study = commands.add_parser("study", help="measure what is claimed of learning, with a plot and a table")
    study.add_argument("name", metavar="NAME", choices=[*STUDIES, "all"], help=f"{', '.join(STUDIES)}, or all of them")
    study.add_argument("--quick", action="store_true", help="only show that it works: seconds, and no figures to quote")
    study.add_argument("--jobs", type=_positive, metavar="N", help="runs side by side (default: one per core)")
    study.add_argument(
        "--out", type=Path, metavar="DIR", help="where results go (default: docs/studies; --quick: runs/studies-quick)"
    )
    study.add_argument(
        "--pages", action="store_true", help="measure nothing: write the pages anew from the results there"
    )
    study.set_defaults(run=_later("studies.command"))  # the one place where the command reaches up

    check = commands.add_parser("check-env", help="see whether Chorus can train on an environment, and what is wrong")
    check_env.add_arguments(check)
    check.set_defaults(run=check_env.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0 well, 1 a fault explained on standard error, 2 wrong usage."""
    options = build_parser().parse_args(arguments)
    try:
        if "tls_ca" in options:
            options.credentials = _credentials(options)
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
    parser.add_argument(
        "--audit", metavar="SHARE", help="audit.share: run this share of tasks twice, on unlike actors, and compare"
    )
    parser.add_argument("--init-from", type=Path, metavar="RUN", help="start from the final weights of another run")


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--metrics-port", type=int, metavar="P", help="serve Prometheus metrics here (default: not at all)"
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="listen here for them (%(default)s)"
    )
    parser.add_argument(
        "--health-port",
        type=int,
        metavar="P",
        help="serve gRPC health checks in clear text here, and nothing else, at the same host: for probes that can show"
        " no certificate (default: not at all)",
    )


def _add_credentials(parser: argparse.ArgumentParser, purpose: str) -> None:
    group = parser.add_argument_group("security", f"what to {purpose}; each also by the environment variable named")
    group.add_argument("--tls-ca", type=Path, metavar="FILE", help="authority of the other side's (CHORUS_TLS_CA)")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate of this side (CHORUS_TLS_CERT)")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (CHORUS_TLS_KEY)")
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a word that both know (CHORUS_TOKEN_FILE, or CHORUS_TOKEN)"
    )
    group.add_argument(
        "--insecure", action="store_true", help="talk in clear text even beyond this machine (CHORUS_INSECURE)"
    )


def _credentials(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # gRPC is imported late
    from common.credentials import read_credentials

    return read_credentials(options.tls_ca, options.tls_cert, options.tls_key, options.token_file, options.insecure)


def _later(module: str) -> Callable[[argparse.Namespace], int]:
    """The `run` of a module that is imported only then."""

    def run(options: argparse.Namespace) -> int:
        arithmetic.pin(getattr(options, "arithmetic", "portable"))
        return int(importlib.import_module(module).run(options))

    return run


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


def _chaos(options: argparse.Namespace) -> int:
    config = _settings(options)
    from chorus.chaos import run

    return run(options, config)


def _actor(options: argparse.Namespace) -> int:
    arithmetic.pin(arithmetic.mode())
    from actor.process import Settings, run
    from common import logs

    logs.start()
    return run(
        Settings(
            options.learner,
            options.name,
            options.metrics_port,
            options.metrics_host,
            options.health_port,
            options.credentials,
            tuple(options.allow_env),
            options.only_audits,
            options.parent,
        )
    )


def _evaluate(options: argparse.Namespace) -> int:
    arithmetic.pin()
    from chorus.evaluate import evaluate

    return evaluate(options)


def _status(options: argparse.Namespace) -> int:
    from chorus.status import status

    return status(options.address, options.credentials, options.timeout, options.json)


def _settings(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # Config is imported here, before NumPy
    """The configuration that the command line describes; pins its arithmetic."""
    from common import config as configuration
    from common.settings import override, read

    settings = read(options.config) if options.config else {}
    settings.pop("run", None)
    shortcuts = {
        "environment.spec": options.env,
        "updates": options.updates,
        "seed": options.seed,
        "lag": options.lag,
        "device": options.device,
        "audit.share": options.audit,
        "mixed_arithmetic": "true" if options.mixed_arithmetic else None,
    }
    for key, value in shortcuts.items():
        if value is not None:
            override(settings, f"{key}={value}")
    for assignment in options.set:
        override(settings, assignment)
    config = configuration.check(settings)
    arithmetic.pin(config.arithmetic)
    return config


if __name__ == "__main__":
    sys.exit(main())
