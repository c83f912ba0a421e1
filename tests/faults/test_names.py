"""A learner that is known by a name: it comes back at another address, or has none but IPv6's."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import RUN, Sound
from tests.system.processes import Chorus, Process, rows, until

pytestmark = pytest.mark.timeout(900)

NAME = "learner.test"


@contextmanager
def names(hosts: Path, first: str, setting_up: str = "true") -> Iterator[list[str]]:
    """A machine of its own, with nothing but a loopback, on which `NAME` stands for the address that the file `hosts`
    says; yields the words that run a command there.

    Needs util-linux, iproute2, and a kernel that lets this user make namespaces.
    """
    move(hosts, first)
    making = f"ip link set lo up && {setting_up} && mount --bind {hosts} /etc/hosts && exec sleep infinity"
    holding = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", making]
    holder = subprocess.Popen(holding, env={"PATH": os.environ["PATH"]})
    within = ["nsenter", "--target", str(holder.pid), "--user", "--net", "--mount", "--preserve-credentials"]
    try:
        until(lambda: subprocess.run([*within, "mountpoint", "-q", "/etc/hosts"]).returncode == 0)
        yield within
    finally:
        holder.kill()
        holder.wait()


def move(hosts: Path, address: str) -> None:
    """From now on the name stands for this address; written in place, where it is mounted."""
    with hosts.open("w") as file:
        file.write(f"{address} {NAME}\n")


def learner_at(chorus: Chorus, within: list[str], address: str) -> tuple[Process, int]:
    """A learner, and the port that it listens at."""
    options = ("--listen", address, "--insecure", *RUN)
    learner = chorus.start("learner", "--out", chorus.folder / "run", *options, within=within)
    return learner, learner.event("learner listens")["port"]


def test_an_actor_finds_a_learner_that_comes_back_at_another_address(chorus: Chorus, sound: Sound) -> None:
    hosts = chorus.folder / "hosts"
    with names(hosts, "127.0.0.2") as within:
        learner, port = learner_at(chorus, within, "127.0.0.2:0")
        actor = chorus.start("actor", "--learner", f"{NAME}:{port}", "--name", "a", "--insecure", within=within)
        until(lambda: len(rows(chorus.folder / "run")) >= 3)
        learner.send(signal.SIGKILL)
        learner.popen.wait()
        move(hosts, "127.0.0.3")
        learner, _ = learner_at(chorus, within, f"127.0.0.3:{port}")
        learner.event("actor joined", actor="a")
        sound(learner)
        actor.succeeded()
        assert sum(event["event"] == "ready" for event in actor.events()) == 2


def test_a_learner_may_have_no_address_but_one_of_ipv6(chorus: Chorus, sound: Sound) -> None:
    with names(chorus.folder / "hosts", "::1", "ip address del 127.0.0.1/8 dev lo") as within:
        learner, port = learner_at(chorus, within, "[::1]:0")
        actor = chorus.start("actor", "--learner", f"{NAME}:{port}", "--name", "a", "--insecure", within=within)
        sound(learner)
        actor.succeeded()
