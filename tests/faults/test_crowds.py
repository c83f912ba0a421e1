"""More actors than there are descriptors for, and one that reads so slowly that weights pile up before it."""

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import RUN, Sound
from tests.system.processes import ROOT, Chorus, Process, players, rows, until, weights
from tests.system.relay import relay

pytestmark = pytest.mark.timeout(900)

CROWD = 300
DESCRIPTORS = 256
UPDATES = 8
WIDE = (
    *("--updates", str(UPDATES), "--set", "network.lstm=1024", "--set", "update.tasks=1", "--set", "update.passes=1"),
    *("--set", "task.episodes=2", "--set", "learner.workers=1"),
)
"""Weights of tens of megabytes, and one gradient at a time, so that a learner's memory says something."""
KILOBYTES = 100_000.0


@pytest.mark.slow
def test_300_that_come_at_once_to_a_learner_with_256_descriptors_hold_up_nobody_who_is_inside(
    chorus: Chorus, sound: Sound
) -> None:
    """Actors of no weight stand in for all but two of them: see `crowd.py`."""
    run = chorus.folder / "run"
    learner = chorus.start("learner", "--out", run, "--listen", "127.0.0.1:0", *RUN)
    resource.prlimit(learner.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    address = f"127.0.0.1:{learner.event('learner listens')['port']}"
    with relay(address) as slowly:
        slowly.proxy.delay = 0.5
        first = chorus.actor(slowly.address, "first")
        first.event("ready")
        command = [sys.executable, "-m", "tests.faults.crowd", address.rpartition(":")[2], str(CROWD)]
        crowd = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == "half are in\n"
            until(lambda: psutil.Process(learner.pid).num_fds() > DESCRIPTORS - 6)
            late = chorus.actor(address, "late")
            late.event("stream lost")
            reached = len(rows(run))
            slowly.proxy.delay = 0.0
            until(lambda: len(rows(run)) > reached)
            crowd.send_signal(signal.SIGTERM)
            told = json.loads(crowd.stdout.readline())
            assert crowd.wait(60) == 0
        finally:
            crowd.kill()
            crowd.wait()
        assert CROWD // 2 < told["most"] < DESCRIPTORS
        assert told["turned_away"] > 0
        learner.succeeded()
        first.succeeded()
    late.send(signal.SIGTERM)
    late.succeeded()
    sound(learner)


def highest_memory(learner: Process) -> int:
    """Bytes that a learner had in memory at most, once it has ended well."""
    most = 0
    while learner.popen.poll() is None:
        for line in Path(f"/proc/{learner.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                most = int(line.split()[1]) * 1024
        time.sleep(0.1)
    learner.succeeded()
    return most


@pytest.mark.slow
def test_an_actor_that_reads_slowly_neither_holds_up_the_others_nor_fills_the_learners_memory(chorus: Chorus) -> None:
    took: dict[str, int] = {}
    for name in ("alone", "run"):
        learner, address = chorus.learner(name, *WIDE)
        with relay(address) as narrow:
            narrow.proxy.rate = KILOBYTES
            slow = chorus.actor(narrow.address, "slow") if name == "run" else None
            if slow is not None:
                slow.event("ready")
            fast = chorus.actor(address, "fast")
            took[name] = highest_memory(learner)
            fast.succeeded()
            if slow is not None:
                slow.send(signal.SIGTERM)
                slow.succeeded()
    assert players(chorus.folder / "run") == [{"fast"}] * UPDATES, "a version takes minutes to get to the other one"
    assert weights(chorus.folder / "run") == weights(chorus.folder / "alone")
    version = (chorus.folder / "run" / "final" / "policy.safetensors").stat().st_size
    assert took["run"] < took["alone"] + 3 * version, f"a version has {version} bytes, the learners took {took}"
    assert learner.event("accounts")["balanced"]
