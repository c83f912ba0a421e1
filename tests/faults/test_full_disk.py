"""A run folder on a disk that fills up beneath one file after another, and has room again later."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.processes import QUICK, Chorus, rows, until, weights

MEGABYTES = 8
UPDATES = 60
OFTEN, SELDOM = ("--set", "checkpoint.every=2"), ("--set", "checkpoint.every=1000")


@contextmanager
def disk(at: Path) -> Iterator[list[str]]:
    """A small disk mounted at a folder, in a mount namespace; yields the words that run a command in it.

    Needs util-linux, and a kernel that lets this user make a namespace.
    """
    at.mkdir()
    mounting = f"mount -t tmpfs -o size={MEGABYTES}m disk {at} && exec sleep infinity"
    holder = subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c", mounting])
    within = ["nsenter", "--target", str(holder.pid), "--user", "--mount", "--preserve-credentials"]
    try:
        until(lambda: subprocess.run([*within, "mountpoint", "-q", str(at)]).returncode == 0)
        yield within
    finally:
        holder.kill()
        holder.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("every", "free"),
    [(OFTEN, 0), (OFTEN, 16), (SELDOM, 0), (SELDOM, 8)],
    ids=["checkpoint, none left", "checkpoint, half of one", "record, none left", "record, a little"],
)
def test_a_full_disk_ends_the_run_with_what_is_whole_and_it_goes_on_once_there_is_room(
    chorus: Chorus, every: tuple[str, ...], free: int
) -> None:
    """`free` is how many KiB the disk has left when it is filled."""
    settings = ("--no-pictures", *QUICK, "--updates", str(UPDATES), "--actors", "1", *every)
    place = chorus.folder / "disk"
    with disk(place) as within:
        holder = within[2]
        seen = Path(f"/proc/{holder}/root{place}")
        run = seen / "run"
        training = chorus.start("train", "--out", place / "run", *settings, within=within)
        until(lambda: len(rows(run)) > 5)
        with (seen / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                filler.truncate(filler.tell() - 1024 * free)
        complaint = training.refused(8)
        assert "No space left" in complaint
        assert not list(run.rglob("*.part"))
        (seen / "filler").unlink()
        chorus.start("train", "--out", place / "run", *settings, within=within).succeeded()
        final = weights(run)
    assert final == weights(chorus.train("peace", "--updates", str(UPDATES), "--actors", "1"))
