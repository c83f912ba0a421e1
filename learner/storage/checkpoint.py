"""Checkpoints: everything that resuming needs, in one file that is either whole or recognised as broken.

A file is a safetensors archive: the last `lag + 1` policy versions as the very bytes that actors got, the optimisers'
vectors, and the counters as JSON in its header, with a digest over all of it. It is written aside, fsynced and renamed,
so that no moment of a crash leaves a half-written file under a checkpoint's name.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from chorus.common.errors import MalformedData, RunFolderError
from chorus.common.policy.weights import PolicyVersion, Tensors, check
from chorus.common.settings.sections import CheckpointConfig

log = logging.getLogger("chorus.checkpoint")


class Counters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers that go on counting when a run resumes.

    Attributes:
        update: updates done.
        env_steps: environment steps trained on.
        agent_steps: agent-steps trained on.
        seconds: wall-clock training time.
        metrics_bytes: length of `metrics.csv`, to which it is cut back.
        batches_bytes: length of `batches.jsonl`, likewise.
        learner: the learner's part of the fingerprint of whoever wrote the checkpoint.
    """

    update: int = 0
    env_steps: int = 0
    agent_steps: int = 0
    seconds: float = 0.0
    metrics_bytes: int = 0
    batches_bytes: int = 0
    learner: dict[str, str] = {}


@dataclass(frozen=True)
class Checkpoint:
    """All that a resumed run starts from."""

    counters: Counters
    versions: dict[int, PolicyVersion]
    optimiser: Tensors


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have faults of the system say which file they are about: those of writing, a full disk's for one, do not."""
    try:
        yield
    except OSError as fault:
        fault.filename = fault.filename or str(path)
        raise


def write_aside(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, even if power fails.

    Raises:
        OSError: the disk is full or not writable; nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with naming(path):
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save_checkpoint(folder: Path, checkpoint: Checkpoint, config: CheckpointConfig) -> Path:
    """Write a checkpoint and remove all but the newest and those that are to stay for ever.

    Raises:
        OSError: it cannot be written; older ones are untouched.
    """
    path = folder / f"{checkpoint.counters.update:08d}.safetensors"
    write_aside(path, encode(checkpoint))
    for old in checkpoint_files(folder)[: -config.keep]:
        if int(old.stem) % (config.every * config.archive):
            old.unlink()
    return path


def encode(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as the bytes of its file."""
    tensors: dict[str, NDArray[np.generic]] = {
        f"version/{number}": np.frombuffer(policy.data, np.uint8) for number, policy in checkpoint.versions.items()
    }
    tensors |= {f"optimiser/{name}": value for name, value in checkpoint.optimiser.items()}
    counters = msgspec.json.encode(checkpoint.counters).decode()
    return save(tensors, metadata={"counters": counters, "sha256": _digest(counters, tensors)})


def decode(data: bytes) -> Checkpoint:
    """The checkpoint that `encode` wrote.

    Raises:
        MalformedData: the bytes are none.
    """
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        return load(Path(file.name))


def load_newest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; None if there never was one. Broken ones are passed over, loudly.

    Raises:
        RunFolderError: there are checkpoints, but none is whole.
    """
    for leftover in folder.glob(".*.part"):
        log.warning("removing an unfinished checkpoint", extra={"file": leftover.name})
        leftover.unlink()
    files = checkpoint_files(folder)
    for path in reversed(files):
        try:
            return load(path)
        except (MalformedData, OSError) as fault:
            log.error("checkpoint is broken, trying an older one", extra={"file": path.name, "fault": str(fault)})
    if files:
        raise RunFolderError(
            f"{folder}: none of {len(files)} checkpoints is whole; restore one from a backup, or train into another"
            " folder"
        )
    return None


def load(path: Path) -> Checkpoint:
    """One checkpoint.

    Raises:
        MalformedData: it is torn, altered, or no checkpoint.
        OSError: it cannot be read.
    """
    try:
        with safe_open(path, framework="np") as archive:
            metadata = archive.metadata() or {}
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as fault:
        raise MalformedData(f"{path.name} is no whole safetensors file: {fault}") from fault
    text = metadata.get("counters", "")
    if metadata.get("sha256") != _digest(text, tensors):
        raise MalformedData(f"{path.name} does not have the digest in its header")
    try:
        counters = msgspec.json.decode(text, type=Counters)
    except msgspec.MsgspecError as fault:
        raise MalformedData(f"{path.name} has unreadable counters: {fault}") from fault
    versions, optimiser = {}, {}
    for name, value in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "version":
            data = value.tobytes()
            versions[int(rest)] = check(PolicyVersion(int(rest), data, hashlib.sha256(data).digest()))
        else:
            optimiser[rest] = value
    return Checkpoint(counters, versions, optimiser)


def checkpoint_files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by update."""
    return sorted(folder.glob("[0-9]*.safetensors"))


def _digest(counters: str, tensors: dict[str, NDArray[np.generic]]) -> str:
    hashed = hashlib.sha256(counters.encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        hashed.update(f"{name} {value.dtype} {value.shape}".encode())
        hashed.update(value.tobytes())
    return hashed.hexdigest()
