"""A run folder on a disk that fills up beneath one file after another, and has room again later."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import RUN, UPDATES, living
from tests.system.processes import Chorus, rows, until, weights

pytestmark = pytest.mark.timeout(900)

MEGABYTES = 8
PLACED = ("train", "--no-pictures", "--actors", "1", *RUN)


@contextmanager
def disk(at: Path) -> Iterator[list[str]]:
    """A small disk mounted at a folder, in a mount namespace; yields the words that run a command in it.

    Needs util-linux, and a kernel that lets this user make a namespace.
    """
    at.mkdir()
    mounting = f"mount -t tmpfs -o size={MEGABYTES}m disk {at} && exec sleep infinity"
    holding = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounting]
    holder = subprocess.Popen(holding, env={"PATH": os.environ["PATH"]})
    within = ["nsenter", "--target", str(holder.pid), "--user", "--mount", "--preserve-credentials"]
    try:
        until(lambda: subprocess.run([*within, "mountpoint", "-q", str(at)]).returncode == 0)
        yield within
    finally:
        holder.kill()
        holder.wait()


def from_outside(within: list[str], path: Path) -> Path:
    """A path in that namespace, for this process."""
    return Path(f"/proc/{within[2]}/root{path}")


def fill(folder: Path, free: int = 0) -> Path:
    """Leave so many KiB of a disk free; return what fills it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - 1024 * free)
    return filler


@pytest.mark.slow
@pytest.mark.parametrize("file", ["checkpoints", "metrics.csv", "batches.jsonl", "final"])
def test_a_disk_that_is_full_beneath_one_file_ends_the_run_and_it_goes_on_once_there_is_room(
    chorus: Chorus, peace: str, file: str
) -> None:
    """The file lies on a disk of its own, so that no other can be the one that is told of."""
    run, place = chorus.folder / "run", chorus.folder / "disk"
    training = chorus.start(*PLACED, "--out", run)
    until(lambda: len(rows(run)) > 7)
    training.send(signal.SIGTERM)
    training.succeeded()
    with disk(place) as within:
        seen = from_outside(within, place)
        (run / "final").mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", run / file, seen], check=True)
        (run / file).rename(chorus.folder / "moved")
        (run / file).symlink_to(place / file)
        filler = fill(seen)
        complaint = chorus.start(*PLACED, "--out", run, within=within).refused(8)
        assert "No space left" in complaint
        assert file in complaint
        assert not list(seen.rglob("*.part"))
        until(lambda: not living(chorus.folder))
        filler.unlink()
        chorus.start(*PLACED, "--out", run, within=within).succeeded()
        folder = seen if file == "final" else run
        assert weights(folder) == peace


@pytest.mark.slow
def test_a_disk_that_takes_half_a_checkpoint_keeps_the_whole_one_before_it(chorus: Chorus, peace: str) -> None:
    place = chorus.folder / "disk"
    with disk(place) as within:
        seen = from_outside(within, place)
        run = seen / "run"
        training = chorus.start(*PLACED, "--out", place / "run", within=within)
        until(lambda: len(rows(run)) > 5)
        filler = fill(seen, free=16)
        assert "No space left" in training.refused(8)
        assert len(rows(run)) < UPDATES
        assert not list(run.rglob("*.part"))
        filler.unlink()
        chorus.start(*PLACED, "--out", place / "run", within=within).succeeded()
        assert weights(run) == peace


@pytest.mark.slow
def test_a_disk_that_takes_no_more_trajectories_ends_the_run_and_it_goes_on_once_there_is_room(chorus: Chorus) -> None:
    """A task of it weighs more than the disk leaves free; without `reserve` the learner would end by SIGBUS."""
    run, place = chorus.folder / "run", chorus.folder / "disk"
    heavy = (
        *("--actors", "1", "--env", "spread?agents=20", "--updates", "2"),
        *("--set", "task.episodes=8", "--set", "update.tasks=2", "--set", "update.passes=1"),
    )
    undisturbed = chorus.train("other", *heavy)
    with disk(place) as within:
        command = ("train", "--no-pictures", *heavy, "--out", run, "--set", f"learner.spill={place}")
        filler = fill(from_outside(within, place), free=1024)
        complaint = chorus.start(*command, within=within).refused(8)
        assert f"No space left on device: {place} (learner.spill); make room there" in complaint
        until(lambda: not living(chorus.folder))
        filler.unlink()
        chorus.start(*command, within=within).succeeded()
        assert not list(from_outside(within, place).iterdir())
    assert weights(run) == weights(undisturbed)
