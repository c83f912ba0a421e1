"""The run folder: what a run leaves on disk, and who may write to it.

config.yaml      everything resolved, with the run's id, versions and fingerprint under `run`
environment.json what its agents see and do, for those who act by the policy without the environment
metrics.csv      a row per update
batches.jsonl    a line per update: the digest of its batch, and who played which task
checkpoints/     the newest whole one is what a resumed run starts from
final/           policy.safetensors, once the run is complete
log.jsonl        what learner and actors had to say, if `chorus train` started them
lock             held by the running learner
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from chorus.common.environments.description import encode
from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.policy.weights import PolicyVersion
from chorus.common.process.fingerprint import Fingerprint, chorus_version, first_difference
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.settings.plain import differences, place, read, text, unlike
from chorus.common.settings.sections import FrozenConfig
from chorus.learner.storage.checkpoint import naming, write_aside

COLUMNS = (
    "update",
    "env_steps",
    "agent_steps",
    "seconds",
    "individual_return",
    "team_return",
    "mixed_return",
    "episode_length",
    "policy_version",
    "policy_lag",
    "agent_steps_per_second",
    "evaluation_return",
    "gradient_norm",
    "clipped",
    "signal_to_noise",
    "loss",
    "entropy",
    "explained_variance",
    "policy_disagreement",
    "passes",
    "kl",
    "surrogate_clipped",
    "importance_ratio_mean",
    "importance_ratio_max",
    "learning_rate",
    "batch_seconds",
    "step_seconds",
)


FIXED = (
    "environment.",
    "sharing.",
    "network.",
    "task.",
    "update.",
    "seed:",
    "lag:",
    "opponents",
    "frozen",
    "self_play.every:",
    "self_play.keep:",
    "arithmetic:",
    "initial_weights:",
    "optimiser.name:",
    "loss.baseline:",
    "value.network:",
    "value.slow:",
)
"""How settings begin that are the run itself: what is played, by whom, how much of it, what state is kept for it."""


class RunFolder:
    """A run's folder, locked for this process until `close`."""

    def __init__(self, path: Path) -> None:
        """Make the folder if need be, and lock it.

        Raises:
            RunFolderError: another learner works on it, or it cannot be made.
        """
        self.path = path
        self.checkpoints = path / "checkpoints"
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("a")
        except OSError as fault:
            raise RunFolderError(f"{path}: {fault.strerror or fault}; choose another --out") from fault
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self._lock.close()
            raise RunFolderError(
                f"{path}: another learner is using this run folder; stop it or choose another --out"
            ) from fault
        self.irreproducible: list[str] = []
        self._changed: dict[str, tuple[Any, Any]] = {}
        self._about: dict[str, Any] = {}
        self._config: Config | None = None
        self._metrics: io.FileIO | None = None
        self._batches: io.FileIO | None = None

    def close(self) -> None:
        """Close the files and give the lock back."""
        for file in (self._metrics, self._batches):
            if file is not None:
                file.close()
        self._lock.close()

    # -- what run it is

    def begin(self, config: Config, fingerprint: Fingerprint, resuming: bool = False) -> str:
        """Write `config.yaml` into an empty folder, or see that the run in it is this one; return the run's id.

        Args:
            config: resolved.
            fingerprint: this process's.
            resuming: there must be a run, and settings of it that differ may be other from now on; `note_changes`
                writes down from which update.

        Raises:
            ConfigError: it holds another configuration or arithmetic; says what differs.
            RunFolderError: the folder holds something, but no run.
        """
        path = self.path / "config.yaml"
        if path.exists():
            return self._continue(path, config, fingerprint, resuming)
        if resuming:
            raise RunFolderError(f"{self.path}: there is no config.yaml in it; is it a run folder?")
        entries = {entry.name for entry in self.path.iterdir() if entry.suffix != ".part"}  # those a crash left behind
        strangers = entries - {"lock", "checkpoints", "log.jsonl", "prints.log"}
        if strangers or any(self.checkpoints.iterdir()):
            found = ", ".join(sorted(strangers)[:5]) or "checkpoints"
            raise RunFolderError(f"{self.path} holds no config.yaml, but {found}; choose an empty --out")
        run = secrets.token_hex(4)
        reasons = ["unlike arithmetic is allowed (mixed_arithmetic)"] if config.mixed_arithmetic else []
        self._write_config(
            path,
            config,
            {"id": run, "horizon": config.updates, "fingerprint": fingerprint, "not_reproducible": reasons},
        )
        return run

    def begun_with(self) -> int | None:
        """The updates that the schedules of the run in this folder are for; None if there is no run yet."""
        if not (self.path / "config.yaml").exists():
            return None
        about = read_about(self.path)
        return int(about.get("horizon", read_config(self.path).updates))

    def frozen(self) -> dict[str, FrozenConfig] | None:
        """What the run in this folder plays against of other runs; None if there is no run yet."""
        return read_config(self.path).frozen if (self.path / "config.yaml").exists() else None

    def mark_irreproducible(self, reason: str) -> None:
        """Note in `config.yaml` why this run cannot be reproduced."""
        if self._config is None:
            raise RunFolderError(f"{self.path}: no run has begun here")
        reasons = [*self.irreproducible, reason]
        self._write_config(self.path / "config.yaml", self._config, {**self._about, "not_reproducible": reasons})

    def _continue(self, path: Path, config: Config, fingerprint: Fingerprint, resuming: bool) -> str:
        about = read_about(self.path)
        before = read_config(self.path)
        indifferent = {"isolation": before.environment.isolation, "proof": before.environment.proof}  # change no bit
        wanted = msgspec.structs.replace(
            config,
            updates=before.updates,
            mixed_arithmetic=before.mixed_arithmetic,
            environment=msgspec.structs.replace(config.environment, **indifferent),
        )
        changed = differences(configuration.to_dict(before), configuration.to_dict(wanted))
        if changed and not resuming:
            raise ConfigError(
                f"{self.path} holds another run; settings that differ (there, here): {'; '.join(changed)}."
                " Use the run's own settings to resume it, or choose another --out;"
                f" `chorus resume {self.path} --set …` goes on with other ones"
            )
        fixed = [change for change in changed if change.startswith(FIXED)]
        if fixed:
            raise ConfigError(
                f"{self.path}: this cannot be changed within a run (there, here): {'; '.join(fixed)}; begin a new run"
                f" with it, from these weights by --init-from {self.path} if they fit"
            )
        if config.updates < before.updates:
            raise ConfigError(
                f"{self.path} is a run of {before.updates} updates; updates may grow, not shrink to {config.updates}"
            )
        self._know(before, about)
        self.refuse_unlike(about["fingerprint"], fingerprint, config)
        about = self._about
        self._know(config, about)
        self._changed = unlike(configuration.to_dict(before), configuration.to_dict(wanted))
        if config != before and not changed:
            self._write_config(path, config, about)
        return str(about["id"])

    def refuse_unlike(self, run: Fingerprint, here: Fingerprint, config: Config) -> None:
        """See that this process's arithmetic is the run's, or that the run may go on with another, and is marked then.

        Args:
            run: what it was begun, or its checkpoint written, with; empty in a checkpoint that does not say.
            here: this process's.
            config: what it goes on with.

        Raises:
            ConfigError: it is another; says whether another version of Chorus or another machine is the reason.
        """
        if not run or not (difference := first_difference(run, here)):
            return
        if config.mixed_arithmetic:
            reason = f"the run went on with unlike arithmetic: {difference}"
            if reason not in self.irreproducible:
                self.mark_irreproducible(reason)
            return
        if run.get("chorus") != here.get("chorus"):
            raise ConfigError(
                f"{self.path} is a run of Chorus {run.get('chorus', 'without a version')}, and this is Chorus"
                f" {here.get('chorus')}, whose bits may differ; go on with that version, or begin a new run from these"
                f" weights by --init-from {self.path}"
            )
        raise ConfigError(
            f"{self.path}: other arithmetic than the run's: {difference}; resume it on a like machine, or go on all the"
            " same with --mixed-arithmetic, which marks the run as not reproducible"
        )

    def note_changes(self, update: int) -> None:
        """Write down which settings are other ones from this update on, if any are."""
        if self._config is not None and self._changed:
            settings = {name: list(values) for name, values in self._changed.items()}
            changes = [*self._about.get("changes", []), {"from_update": update, "settings": settings}]
            self._write_config(self.path / "config.yaml", self._config, {**self._about, "changes": changes})
            self._changed = {}

    def _know(self, config: Config, about: dict[str, Any]) -> None:
        self._config, self._about = config, about
        self.irreproducible[:] = about.get("not_reproducible", [])

    def _write_config(self, path: Path, config: Config, about: dict[str, Any]) -> None:
        self._know(config, about)
        write_aside(path, text({"run": about, **configuration.to_dict(config)}).encode())

    def refuse_if_trained(self) -> None:
        """See that a run without checkpoints never got anywhere, so that a fresh start destroys nothing.

        Raises:
            RunFolderError: there is a record of updates.
        """
        record = self.path / "metrics.csv"
        if record.exists() and record.read_bytes().count(b"\n") > 1:
            raise RunFolderError(
                f"{self.path} has a record of updates, but its checkpoints are gone; restore one from a backup,"
                " or train into another folder"
            )

    # -- the record

    def open_record(self, metrics_bytes: int, batches_bytes: int) -> None:
        """Open `metrics.csv` and `batches.jsonl`, cut back to what the checkpoint knows of."""
        self._metrics = _open_at(self.path / "metrics.csv", metrics_bytes)
        self._batches = _open_at(self.path / "batches.jsonl", batches_bytes)
        if not metrics_bytes:
            _append(self._metrics, (",".join(COLUMNS) + "\n").encode())

    def add(self, row: dict[str, Any], batch: dict[str, Any]) -> None:
        """Append an update's row and its batch."""
        if self._metrics is None or self._batches is None:
            raise RunFolderError(f"{self.path}: the record is not open")
        line = io.StringIO()
        csv.DictWriter(line, COLUMNS, lineterminator="\n").writerow(row)
        _append(self._metrics, line.getvalue().encode())
        _append(self._batches, msgspec.json.encode(batch) + b"\n")

    def record_lengths(self) -> tuple[int, int]:
        """Bytes of `metrics.csv` and `batches.jsonl`, after making sure that they are on disk."""
        if self._metrics is None or self._batches is None:
            raise RunFolderError(f"{self.path}: the record is not open")
        for file in (self._metrics, self._batches):
            with naming(Path(file.name)):
                os.fsync(file.fileno())
        return self._metrics.tell(), self._batches.tell()

    def write_environment(self, spec: EnvironmentSpec) -> None:
        """Write `environment.json`."""
        write_aside(self.path / "environment.json", encode(spec))

    def write_final(self, policy: PolicyVersion) -> None:
        """Write `final/policy.safetensors`."""
        folder = self.path / "final"
        folder.mkdir(exist_ok=True)
        write_aside(folder / "policy.safetensors", policy.data)


def _open_at(path: Path, length: int) -> io.FileIO:
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise RunFolderError(f"{path} has {size} bytes, but the checkpoint knows of {length}; restore it from a backup")
    file = path.open("r+b" if path.exists() else "w+b", buffering=0)
    file.truncate(length)
    file.close()
    return path.open("ab", buffering=0)  # nothing is left to be written by `close` when the disk is full


def _append(file: io.FileIO, data: bytes) -> None:
    """Write all of it at the end of a file.

    Raises:
        OSError: it cannot be written, or not all of it; names the file.
    """
    with naming(Path(file.name)):
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]


def read_config(run: Path) -> Config:
    """The resolved configuration of the run in a folder.

    Raises:
        RunFolderError: there is none.
        ConfigError: it cannot be read.
    """
    settings = _read(run)
    about = settings.pop("run", None)
    try:
        return configuration.check(settings)
    except ConfigError as fault:
        begun = about.get("fingerprint", {}).get("chorus") if isinstance(about, dict) else None
        by = f", written by Chorus {begun}; this is Chorus {chorus_version()}" if begun != chorus_version() else ""
        raise ConfigError(f"{run / 'config.yaml'}{by}: {fault}") from fault


def read_about(run: Path) -> dict[str, Any]:
    """The run's id and fingerprint, and what was changed in mid-run.

    Raises:
        RunFolderError: `config.yaml` is missing.
        ConfigError: it says nothing of them.
    """
    about = _read(run).get("run")
    if not isinstance(about, dict) or not {"id", "fingerprint"} <= about.keys():
        raise ConfigError(f"{run / 'config.yaml'} names no run; it is not one that chorus wrote")
    return about


def read_history(run: Path) -> list[tuple[int, Config]]:
    """The configurations that the updates of a run were made by, each with the first of its updates, oldest first.

    Raises:
        ConfigError: `config.yaml` cannot be read.
    """
    settings = configuration.to_dict(read_config(run))
    history = []
    for change in reversed(read_about(run).get("changes", [])):
        history.append((int(change["from_update"]), configuration.check(settings)))
        for name, (before, _) in change["settings"].items():
            place(settings, name, before)
    return [(0, configuration.check(settings)), *reversed(history)]


def _read(run: Path) -> dict[str, Any]:
    path = run / "config.yaml"
    if not path.exists():
        raise RunFolderError(f"{run}: there is no {path.name} in it; is it a run folder?")
    return read(path)
