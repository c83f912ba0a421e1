"""What happens to containers and to nothing else: paused, short of memory, made anew at another address."""

import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.containers.fleet import PROJECT, ROOT, Fleet, told, until

SETTINGS = ("--seed", "3", "--updates", "400", "--set", "checkpoint.every=10")
SMALL = ("--set", "task.episodes=4", "--set", "update.passes=1", "--set", "learner.workers=2")
MEGABYTES = 800
"""Of memory for the learner, once it is to run short of it."""
FEW = 3
"""Updates after which a fleet is taken to be at work again."""


def updates(fleet: Fleet) -> int:
    """How many the record holds; 0 while nobody can be asked."""
    asked = [*fleet.command, "exec", "-T", "learner", "wc", "-l", "/runs/run/batches.jsonl"]
    done = subprocess.run(asked, cwd=fleet.checkout, env=fleet.environment, capture_output=True, text=True)
    return int(done.stdout.split()[0]) if done.returncode == 0 else 0


def goes_on(fleet: Fleet) -> None:
    before = until("the learner answers", lambda: updates(fleet))
    until("further updates", lambda: updates(fleet) > before + FEW)


def events(fleet: Fleet, service: str, name: str) -> int:
    return sum(line["event"] == name for line in fleet.log(service))


def address_of(fleet: Fleet, container: str) -> str:
    (network,) = fleet.inspected(container)["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def up(fleet: Fleet) -> None:
    fleet.compose("up", "-d", "--no-build", "--scale", "actor=1", "certificates", "learner", "actor")


@pytest.mark.containers
@pytest.mark.timeout(20 * 60)
def test_containers_paused_short_of_memory_and_moved_end_with_the_same_bytes(fleet: Fleet, tmp_path: Path) -> None:
    """There is one actor, so nothing gets on while anything is wrong, and each fault strikes in mid-run."""
    told("building both images")
    fleet.compose("build", "certificates", "actor")
    fleet.environment["CHORUS_ARGS"] = shlex.join((*SETTINGS, *SMALL))
    up(fleet)
    goes_on(fleet)
    (actor,) = fleet.containers("actor")
    (learner,) = fleet.containers("learner")

    told("pausing the actor until the learner gives it up")
    fleet.docker("pause", actor)
    until("the stream ends", lambda: events(fleet, "learner", "actor refused"))
    fleet.docker("unpause", actor)
    goes_on(fleet)

    told("pausing the learner until the actor gives it up")
    fleet.docker("pause", learner)
    lost = events(fleet, "actor", "stream lost")
    until("the stream is lost", lambda: events(fleet, "actor", "stream lost") > lost)
    fleet.docker("unpause", learner)
    goes_on(fleet)

    told("filling the learner's memory: /tmp counts, and the kernel ends the largest process")
    fleet.docker("update", "--memory", f"{MEGABYTES}m", "--memory-swap", f"{MEGABYTES}m", learner)
    began = str(int(time.time()))
    hog = ["dd", "if=/dev/zero", "of=/tmp/hog", "bs=1M", f"count={2 * MEGABYTES}"]
    subprocess.run([*fleet.command, "exec", "-T", "learner", *hog], cwd=fleet.checkout, env=fleet.environment)
    until("the engine starts it again", lambda: fleet.inspected(learner)["RestartCount"] > 0)
    told_of = ("--filter", "event=oom", "--filter", f"container={learner}")
    assert fleet.docker("events", "--since", began, "--until", str(int(time.time()) + 1), *told_of)
    goes_on(fleet)

    told("making the learner anew, at another address")
    before = address_of(fleet, learner)
    fleet.docker("rm", "-f", learner)
    squatter = fleet.docker(
        "run", "-d", "--rm", "--network", f"{PROJECT}_default", "--entrypoint", "sleep", "chorus-actor:test", "3600"
    ).strip()
    try:
        until("its address is taken", lambda: address_of(fleet, squatter))
        up(fleet)
        (learner,) = fleet.containers("learner")
        assert address_of(fleet, learner) != before
        goes_on(fleet)
        told("making the actor anew")
        fleet.docker("rm", "-f", actor)
        up(fleet)
        goes_on(fleet)

        told("waiting for the end of the run")
        until("the end", lambda: not fleet.states("learner")[0]["Running"], 600)
        until("the end", lambda: not any(state["Running"] for state in fleet.states("actor")))
    finally:
        fleet.docker("rm", "-f", squatter)
    assert [state["ExitCode"] for state in fleet.states("learner") + fleet.states("actor")] == [0, 0]
    (accounts,) = [line for line in fleet.log("learner") if line["event"] == "accounts"]
    assert accounts["balanced"]

    alone = tmp_path / "alone"
    command = [sys.executable, "-m", "chorus", "train", "--config", "configs/spread.yaml", *SETTINGS, *SMALL]
    command += ["--no-pictures", "--actors", "1", "--out", str(alone)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    fleet.compose("cp", "learner:/runs/run/final/policy.safetensors", str(tmp_path / "policy.safetensors"))
    assert (tmp_path / "policy.safetensors").read_bytes() == (alone / "final" / "policy.safetensors").read_bytes()
