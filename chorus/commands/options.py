"""Arguments that several commands take, and what they are read into."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from chorus.common.process import arithmetic

if TYPE_CHECKING:
    from chorus.common.settings.config import Config
    from chorus.common.transport.credentials import Credentials


def positive(text: str) -> int:
    """An argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The settings of a run; `read_settings` makes a configuration of them."""
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


def read_settings(options: argparse.Namespace) -> Config:
    """The configuration that the command line describes; pins its arithmetic.

    Raises:
        ConfigError: a setting is unknown, of the wrong type or impossible.
    """
    from chorus.common.settings import config as configuration
    from chorus.common.settings.plain import override, read

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


def add_monitoring(parser: argparse.ArgumentParser) -> None:
    """Where metrics and health checks are served."""
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


def add_page(parser: argparse.ArgumentParser) -> None:
    """Whether the run's page stands beside the metrics."""
    parser.add_argument("--no-page", action="store_true", help="serve no web page of the run beside the metrics")


def add_credentials(parser: argparse.ArgumentParser, purpose: str) -> None:
    """What this side shows and asks of the other; `read_credentials` reads the files."""
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


def read_credentials(options: argparse.Namespace) -> Credentials:
    """The credentials that the command line and the environment name.

    Raises:
        ConfigError: a file is missing, or two of them do not go together.
    """
    from chorus.common.transport.credentials import read_credentials as read

    return read(options.tls_ca, options.tls_cert, options.tls_key, options.token_file, options.insecure)
