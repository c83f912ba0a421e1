"""Signals, file modes, folders that cannot be written, descriptors that run out: the final bytes are the same."""

import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.system.processes import QUICK, ROOT, Chorus, Process, rows, until, weights

RUN = ("--no-pictures", *QUICK, "--updates", "40", "--set", "checkpoint.every=5")


def train(chorus: Chorus, **environment: str) -> Process:
    return chorus.start("train", "--out", chorus.folder / "run", "--actors", "1", *RUN, **environment)


def family(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param((signal.SIGTERM, signal.SIGTERM), id="SIGTERM twice"),
        pytest.param((signal.SIGHUP,), id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_a_signal_ended_goes_on_to_the_same_bytes(
    chorus: Chorus, peace: bytes, sent: tuple[signal.Signals, ...]
) -> None:
    training, run = train(chorus), chorus.folder / "run"
    until(lambda: len(rows(run)) > 7)
    children = family(training)
    for number in sent:
        training.send(number)
    code = training.ended()
    assert code == (0 if sent[0] is signal.SIGTERM else -signal.SIGHUP)
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert not list(run.rglob("*.part"))
    assert len(rows(run)) < 40
    train(chorus).succeeded()
    assert weights(run) == peace


def test_with_umask_077_and_a_home_that_cannot_be_written_all_is_as_ever_and_nobody_else_may_read(
    chorus: Chorus, peace: bytes
) -> None:
    home = Path("/proc")  # nobody, root included, can make a file here
    command = [sys.executable, "-m", "chorus", "train", "--out", str(chorus.folder / "run"), "--actors", "1", *RUN]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, cwd=ROOT, env=environment, umask=0o077, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr.decode()
    run = chorus.folder / "run"
    assert weights(run) == peace
    assert not [path for path in run.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.slow
def test_a_learner_that_runs_out_of_descriptors_goes_on_once_the_crowd_is_gone(chorus: Chorus, peace: bytes) -> None:
    """300 connections to a learner that may hold 256 files: those inside play on, others wait, and none is lost."""
    run = chorus.folder / "run"
    command = ("learner", "--out", run, "--listen", "127.0.0.1:0", *RUN[1:])
    learner = chorus.start(*command)
    resource.prlimit(learner.pid, resource.RLIMIT_NOFILE, (256, 256))
    port = learner.event("learner listens")["port"]
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(300)]
    try:
        until(lambda: psutil.Process(learner.pid).num_fds() > 250)
        late = chorus.actor(f"127.0.0.1:{port}", "late")
        late.event("stream lost")
    finally:
        for line in crowd:
            line.close()
    late.event("ready")
    learner.succeeded()
    assert learner.event("accounts")["balanced"]
    assert weights(run) == peace
