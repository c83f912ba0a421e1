"""Checkpoints that are torn, altered, missing or half written: the newest whole one is used, or none, loudly."""

import os
from pathlib import Path

import numpy as np
import pytest

from chorus.common.errors import RunFolderError
from chorus.common.policy.weights import make
from chorus.common.settings.sections import CheckpointConfig
from chorus.learner.storage.checkpoint import Checkpoint, Counters, checkpoint_files, load, load_newest, save_checkpoint

KEEP = CheckpointConfig(every=1, keep=5, archive=4)


def checkpoint(update: int) -> Checkpoint:
    weights = np.arange(update, update + 50, dtype=np.float32)
    versions = {
        number: make(number, {"team/weight": weights + number}) for number in (update - 1, update) if number >= 0
    }
    return Checkpoint(Counters(update=update, env_steps=7 * update), versions, {"team/moment": weights})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for update in range(6):
        save_checkpoint(tmp_path, checkpoint(update), KEEP)
    return tmp_path


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "torn":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "zeroed":
        path.write_bytes(bytes(len(data)))
    elif how == "longer":
        path.write_bytes(data + b"\0")
    else:
        path.unlink()


def test_what_was_saved_is_what_is_loaded(folder: Path) -> None:
    found = load_newest(folder)
    assert found is not None
    assert found.counters == checkpoint(5).counters
    assert found.versions == checkpoint(5).versions
    np.testing.assert_array_equal(found.optimiser["team/moment"], checkpoint(5).optimiser["team/moment"])


@pytest.mark.parametrize("how", ["torn", "empty", "zeroed", "longer", "missing"])
def test_the_newest_whole_one_is_used_loudly(folder: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    for path in checkpoint_files(folder)[-2:]:
        spoil(path, how)
    found = load_newest(folder)
    assert found is not None
    assert found.counters.update == 3
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == (0 if how == "missing" else 2)


def test_no_bit_can_flip_unnoticed(folder: Path) -> None:
    """Every byte of the file is covered by its digest, or makes it unreadable."""
    path = checkpoint_files(folder)[-1]
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        found = load_newest(folder)
        assert found is not None
        assert found.counters.update == 4, f"byte {place} was changed"


def test_none_whole_is_an_error_and_never_a_fresh_start(folder: Path) -> None:
    for path in checkpoint_files(folder):
        spoil(path, "torn")
    with pytest.raises(RunFolderError, match="none of 6 checkpoints is whole"):
        load_newest(folder)


def test_what_a_crash_left_half_written_is_taken_away(folder: Path) -> None:
    (folder / ".00000006.safetensors.123.part").write_bytes(b"half")
    found = load_newest(folder)
    assert found is not None
    assert found.counters.update == 5
    assert not list(folder.glob(".*"))


def test_a_disk_that_is_full_leaves_the_older_ones_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = checkpoint_files(folder)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*00000006\.safetensors"):
        save_checkpoint(folder, checkpoint(6), KEEP)
    assert checkpoint_files(folder) == before
    assert not list(folder.glob(".*"))


def test_every_so_many_stay_for_ever(tmp_path: Path) -> None:
    for update in range(12):
        save_checkpoint(tmp_path, checkpoint(update), CheckpointConfig(every=1, keep=2, archive=4))
    assert [int(path.stem) for path in checkpoint_files(tmp_path)] == [0, 4, 8, 10, 11]
    assert load(checkpoint_files(tmp_path)[1]).counters.update == 4
