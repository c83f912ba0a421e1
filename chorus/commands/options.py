"""Arguments that several commands take, and what they are read into."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chorus.commands.arguments import port
from chorus.common.process import arithmetic

if TYPE_CHECKING:
    from chorus.common.settings.config import Config
    from chorus.common.transport.credentials import Credentials

SHORTCUTS = {
    "env": "environment.spec",
    "updates": "updates",
    "seed": "seed",
    "lag": "lag",
    "device": "device",
    "audit": "audit.share",
    "mixed_arithmetic": "mixed_arithmetic",
}
"""Options that are short for a setting."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The settings of a run; `read_settings` makes a configuration of them."""
    group = parser.add_argument_group(
        "what is trained", "settings; of those given twice, the command line counts before the file"
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings as YAML: a file, or the name of an included one (`chorus configs` lists them)",
    )
    group.add_argument(
        "--env",
        metavar="SPEC",
        help="the environment, with its own settings after a question mark (spread?agents=3);"
        " sets environment.spec. `chorus check-env SPEC` examines one",
    )
    add_updates(group)
    group.add_argument(
        "--seed", metavar="S", help="seed of all random numbers, an integer from 0: equal seeds give equal runs (0)"
    )
    group.add_argument(
        "--lag",
        metavar="L",
        help="policy lag: updates that a batch's policy version may be old; 0 is strictly on-policy, 1 is faster (0)",
    )
    group.add_argument("--device", metavar="D", help="where gradients are computed: cpu, cuda or cuda:1 (cpu)")
    add_set(group)
    group.add_argument(
        "--init-from",
        type=Path,
        metavar="RUN",
        help="start from another run's weights: its final ones, or its newest checkpoint's if it is not finished",
    )
    group.add_argument(
        "--audit",
        metavar="SHARE",
        help="share of the tasks, 0 to 1, that two different actors play, to compare the results (0); sets audit.share",
    )
    add_mixed(group)


def add_mixed(group: argparse._ActionsContainer) -> None:
    """Whether equal bits may be given up."""
    group.add_argument(
        "--mixed-arithmetic",
        action="store_true",
        help="allow machines whose arithmetic differs, or to resume on one; the run is then not reproducible",
    )


def add_updates(group: argparse._ActionsContainer) -> None:
    """How long a run is."""
    group.add_argument(
        "--updates",
        metavar="U",
        help="how many updates the run has, each from J tasks of K episodes (default: chosen from the"
        " environment; a resumed run may be given more)",
    )


def add_set(group: argparse._ActionsContainer) -> None:
    """Any setting."""
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting by its name, such as loss.entropy=0.01 (`chorus settings` explains all); may be repeated",
    )


def read_settings(options: argparse.Namespace) -> Config:
    """The configuration that the command line describes; pins its arithmetic.

    Raises:
        ConfigError: a setting is unknown, of the wrong type or impossible.
    """
    from chorus.common.settings import config as configuration
    from chorus.common.settings import shipped
    from chorus.common.settings.plain import lines, read

    settings: dict[str, Any] = {}
    origin: dict[str, str] = {}
    if options.config is not None:
        path = shipped.find(options.config)
        settings = read(path)
        origin = {name: f"{path}, line {line}" for name, line in lines(path).items()}
    settings.pop("run", None)
    _override(settings, origin, options)
    config = configuration.check(settings, origin)
    arithmetic.pin(arithmetic.suited(config.arithmetic, config.environment.spec))
    return config


def read_run(run: Path, options: argparse.Namespace) -> Config:
    """The configuration of the run in a folder, with what the command line changes of it; pins its arithmetic.

    Raises:
        RunFolderError: there is no run.
        ConfigError: a setting is unknown, of the wrong type or impossible.
    """
    from chorus.common.errors import RunFolderError
    from chorus.common.settings import config as configuration
    from chorus.common.settings.plain import read

    path = run / "config.yaml"
    if not path.exists():
        raise RunFolderError(f"{run}: there is no {path.name} in it; is it a run folder?")
    settings, origin = read(path), dict[str, str]()
    settings.pop("run", None)
    _override(settings, origin, options)
    config = configuration.check(settings, origin)
    arithmetic.pin(arithmetic.suited(config.arithmetic, config.environment.spec))
    return config


def _override(settings: dict[str, Any], origin: dict[str, str], options: argparse.Namespace) -> None:
    """Put what stands on the command line in place of what there was."""
    from chorus.common.settings.plain import override, scalar

    for name, key in SHORTCUTS.items():
        value = getattr(options, name, None)
        if value is None or value is False:
            continue
        place: dict[str, Any] = settings
        *sections, last = key.split(".")
        for section in sections:
            inner = place.get(section)
            place[section] = place = inner if isinstance(inner, dict) else {}
        # A spec is taken as it stands, whatever YAML would make of it.
        place[last] = value if name == "env" or value is True else scalar(value)
        origin[key] = f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
    for assignment in options.set:
        override(settings, assignment)
        origin[assignment.partition("=")[0].strip()] = f"--set {assignment}"


def add_monitoring(parser: argparse.ArgumentParser) -> None:
    """Where metrics and health checks are served."""
    group = parser.add_argument_group("monitoring", "what this process tells; port 0 takes any that is free")
    group.add_argument("--metrics-port", type=port, metavar="P", help="serve Prometheus metrics at this port (off)")
    group.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="listen here for metrics (%(default)s)"
    )
    group.add_argument(
        "--health-port",
        type=port,
        metavar="P",
        help="serve only gRPC health checks in clear text at this port of the same host: for probes without"
        " a certificate (off)",
    )


def add_page(parser: argparse.ArgumentParser) -> None:
    """Whether the run's page stands beside the metrics."""
    parser.add_argument(
        "--no-page", action="store_true", help="do not serve the web page of the run beside the metrics"
    )


def add_credentials(parser: argparse.ArgumentParser, purpose: str) -> None:
    """What this side shows and asks of the other; `read_credentials` reads the files."""
    group = parser.add_argument_group("security", f"what to {purpose}; each also by the environment variable named")
    group.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="authority of the other side's certificate (CHORUS_TLS_CA)"
    )
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate of this side (CHORUS_TLS_CERT)")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (CHORUS_TLS_KEY)")
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help="shared secret (CHORUS_TOKEN_FILE, or CHORUS_TOKEN)"
    )
    group.add_argument(
        "--insecure", action="store_true", help="use clear text even beyond this machine (CHORUS_INSECURE)"
    )
    group.add_argument(
        "--proxy",
        metavar="URL",
        help="HTTP proxy for a learner beyond this machine, or 'environment' to use http_proxy and similar variables"
        " (CHORUS_PROXY; default: none)",
    )


def read_credentials(options: argparse.Namespace) -> Credentials:
    """The credentials that the command line and the environment name.

    Raises:
        ConfigError: a file is missing, or two of them do not go together.
    """
    from chorus.common.transport.credentials import read_credentials as read

    return read(
        options.tls_ca, options.tls_cert, options.tls_key, options.token_file, options.insecure, proxy=options.proxy
    )
