"""Weights of other runs: what `--init-from RUN` begins with, and what frozen opponents play by.

A frozen opponent's weights are read once, when the run begins. They are a version of the run from then on, whose number
is beyond all of its own: checkpoints hold it and actors are sent it like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError, MalformedData, RunFolderError
from chorus.common.policy.opponents import FROZEN, frozen_runs
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion, check
from chorus.common.settings.config import Config
from chorus.common.settings.sections import FrozenConfig
from chorus.learner.storage.checkpoint import load_newest
from chorus.learner.storage.run_folder import read_config
from chorus.learner.update.training import check_fit


def newest_weights(run: Path, wanted_by: str) -> PolicyVersion:
    """The final weights of a run, or its newest checkpoint's, as a version 0.

    Args:
        run: its folder.
        wanted_by: the option or setting that names it, for complaints.

    Raises:
        ConfigError: the run has no weights, or they are broken.
    """
    path = run / "final" / "policy.safetensors"
    try:
        if path.exists():
            data = path.read_bytes()
        else:
            checkpoint = load_newest(run / "checkpoints")
            if checkpoint is None:
                raise ConfigError(f"{wanted_by}: there are no weights in it; is it a run folder?")
            data = checkpoint.versions[checkpoint.counters.update].data
        return check(PolicyVersion(0, data, hashlib.sha256(data).digest()))
    except (OSError, MalformedData, RunFolderError) as fault:
        raise ConfigError(f"{wanted_by}: {fault}") from fault


def freeze(
    config: Config, environment: EnvironmentSpec, known: Mapping[str, FrozenConfig] | None
) -> tuple[Config, dict[int, PolicyVersion]]:
    """The configuration with what its frozen opponents are, and their weights by version.

    Args:
        config: may say already what they are, as the `config.yaml` of such a run does.
        environment: that they are to play in.
        known: what the run in the folder has said of them, whose checkpoints hold the weights; None if it begins now.

    Returns:
        no weights where the run has begun.

    Raises:
        ConfigError: there is no such run, its policies do not fit the environment, or they are not the ones that the
            configuration names.
    """
    runs = frozen_runs(config)
    if strangers := config.frozen.keys() - set(runs):
        name = min(strangers)
        raise ConfigError(
            f"frozen: {name!r} is no opponent; write opponents: {{AGENTS: 'frozen:{name}'}}, or leave it out"
        )
    found, versions = {}, {}
    for place, run in enumerate(runs):
        told = config.frozen.get(run, (known or {}).get(run))
        if known is not None and told is not None:
            found[run] = told
            continue
        found[run], policy = _frozen(run, config, environment)
        versions[FROZEN + place] = replace(policy, version=FROZEN + place)
    return msgspec.structs.replace(config, frozen=found), versions if known is None else {}


def _frozen(run: str, config: Config, environment: EnvironmentSpec) -> tuple[FrozenConfig, PolicyVersion]:
    complaint = f"opponents: frozen:{run}"
    policy = newest_weights(Path(run), complaint)
    theirs = read_config(Path(run))
    try:
        check_fit(divide(environment, theirs.sharing, theirs.network), theirs, policy.tensors())
    except ConfigError as fault:
        raise ConfigError(
            f"{complaint}: it was trained on {theirs.environment.spec}: {fault}; name a run of the same environment"
        ) from fault
    made = FrozenConfig(sha256=policy.sha256.hex(), sharing=theirs.sharing, network=theirs.network)
    wanted = config.frozen.get(run, made)
    if wanted != made:
        raise ConfigError(
            f"{complaint}: its weights have the SHA-256 {made.sha256[:16]}…, but `frozen` names {wanted.sha256[:16]}…;"
            " give the run that has those, or leave `frozen` out to play against what is there now"
        )
    return made, policy
