"""The newest policy of a run, read without disturbing a learner that is running on it. Needs no torch."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from chorus.common.environments import make
from chorus.common.environments.description import decode
from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import MalformedData, RunFolderError
from chorus.common.policy.weights import PolicyVersion, check
from chorus.learner.storage.checkpoint import checkpoint_files, load
from chorus.learner.storage.run_folder import read_config

log = logging.getLogger("chorus.runs")

FINAL = Path("final") / "policy.safetensors"

def is_complete(run: Path) -> bool:
    """Whether the final weights are written, and are those of the last update.

    They are not where a complete run is being given more updates: `final/` still holds those of its first end then.
    """
    files = checkpoint_files(run / "checkpoints")
    return (run / FINAL).exists() and (not files or int(files[-1].stem) >= read_config(run).updates)


def newest_policy(run: Path) -> PolicyVersion:
    """The final policy of a run, or that of its newest whole checkpoint.

    Raises:
        RunFolderError: there is neither.
    """
    if is_complete(run):
        data = (run / FINAL).read_bytes()
        return check(PolicyVersion(read_config(run).updates, data, hashlib.sha256(data).digest()))
    files = checkpoint_files(run / "checkpoints")
    for path in reversed(files):
        try:
            checkpoint = load(path)
        except (MalformedData, OSError) as fault:  # incomplete, or removed meanwhile by the running learner
            log.warning("checkpoint cannot be read, trying an older one", extra={"file": path.name, "fault": str(fault)})
            continue
        return checkpoint.versions[checkpoint.counters.update]
    if files:
        raise RunFolderError(f"{run}: none of its {len(files)} checkpoints is whole; restore one from a backup")
    raise RunFolderError(f"{run} holds no weights; is it a run folder?")


def environment_spec(run: Path) -> EnvironmentSpec:
    """What the agents of a run see and do; from its folder, or by making the environment for runs of older versions.

    Raises:
        EnvironmentFault: an older run's environment cannot be made here.
    """
    described = run / "environment.json"
    if described.exists():
        return decode(described.read_bytes())
    environment = make(read_config(run).environment.spec)
    try:
        return environment.spec
    finally:
        environment.close()
