"""A learner of two containers, by the overlay `deploy/compose.learners.yml`: scaled, killed, watched; the same weights.

`make containers` runs this.
"""

import csv
import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.containers.fleet import ROOT, Fleet, told, until

SETTINGS = ("--seed", "3", "--lag", "1", "--set", "checkpoint.every=10")
SMALL = ("--set", "task.episodes=4", "--set", "update.passes=1", "--set", "learner.workers=1")
RUN_SECONDS = 120.0
"""How long the run is to take by one process: long enough for all that is done to two, whatever the machine."""
FEW = 5
"""Updates after which a learner is taken to be at work again."""
OPEN_FILES = "for file in /proc/[0-9]*/fd/*; do readlink $file || true; done"
WORKERS = "cat /proc/1/task/1/children"


def alone(folder: Path, updates: int) -> float:
    """Train by one process; return seconds per update."""
    command = [sys.executable, "-m", "chorus", "train", "--config", "configs/spread.yaml", *SETTINGS, *SMALL]
    command += ["--updates", str(updates), "--no-pictures", "--actors", "2", "--out", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with (folder / "metrics.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)


def scale(fleet: Fleet, actors: int) -> None:
    """Actors alone: who waited for healthy learners would wait for a busy machine to ask them in time."""
    fleet.compose("up", "-d", "--no-build", "--no-deps", "--scale", f"actor={actors}", "actor")


def said(fleet: Fleet, container: str, event: str) -> list[dict[str, Any]]:
    """Lines of a container's log about an event; torchrun's own, which are not JSON, are passed over."""
    command = ["docker", "logs", container]
    output = subprocess.run(command, env=fleet.environment, capture_output=True, text=True, check=True)
    lines = (output.stdout + output.stderr).splitlines()
    known = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in known if line["event"] == event]


def by_rank(fleet: Fleet) -> dict[str, str]:
    """The containers by the rank that each had when it last began to listen."""
    learners = fleet.containers("learner")
    return {said(fleet, container, "learner listens")[-1]["rank"]: container for container in learners}


def measured(fleet: Fleet, query: str) -> dict[str, float]:
    """What Prometheus has for each rank."""
    result = (fleet.ask("query", query=query) or {}).get("result", [])
    return {series["metric"]["rank"]: float(series["value"][1]) for series in result}


def done(fleet: Fleet) -> float | None:
    """The version that both have come to."""
    versions = measured(fleet, "chorus_policy_version")
    return min(versions.values()) if versions.keys() == {"0", "1"} else None


def goes_on(fleet: Fleet) -> None:
    """Both learners make further updates."""
    until("both are healthy", lambda: fleet.healthy("learner", 2))
    begun = until("a version of both", lambda: done(fleet))
    until("further versions of both", lambda: (done(fleet) or 0) > begun + FEW)
    assert all(state["Running"] for state in fleet.states("learner")), "the run is over too early: make it longer"


def restarts(fleet: Fleet) -> list[int]:
    return [int(fleet.inspected(container)["RestartCount"]) for container in fleet.containers("learner")]


@pytest.mark.containers
@pytest.mark.timeout(40 * 60)
def test_two_learner_containers_scaled_and_killed_learn_the_weights_of_one_process(
    fleet: Fleet, tmp_path: Path
) -> None:
    told("building both images")
    fleet.compose("build", "certificates", "actor")
    updates = int(RUN_SECONDS / alone(tmp_path / "measured", 50))
    told(f"the same run by one process: {updates} updates")
    alone(tmp_path / "alone", updates)

    told("up, with 2 learners and 2 actors")
    fleet.environment["COMPOSE_FILE"] = "docker-compose.yml:deploy/compose.learners.yml"
    fleet.environment["CHORUS_ARGS"] = shlex.join((*SETTINGS, *SMALL, "--updates", str(updates)))
    fleet.up(2)
    until("learners and actors healthy", lambda: fleet.healthy("learner", 2) and fleet.healthy("actor", 2))
    until("four targets up", lambda: fleet.up_targets() == {"learner": 2, "actor": 2})
    goes_on(fleet)
    played = measured(fleet, 'chorus_tasks_total{outcome="completed"}')
    assert played.keys() == {"0", "1"} and all(played.values()), "actors found both by the one name"

    told("asking each how all are, and which files it has open")
    for rank, container in by_rank(fleet).items():
        status = json.loads(fleet.docker("exec", container, "chorus", "status", "learner:50051", "--json"))
        assert [learner["rank"] for learner in status["learners"]] == [0, 1]
        writes = "/runs/" in fleet.docker("exec", container, "sh", "-c", OPEN_FILES)
        assert writes == (rank == "0")

    told("scaling to 4 actors, and to 1")
    scale(fleet, 4)
    until("4 actors", lambda: sum(measured(fleet, "chorus_actors").values()) == 4)
    scale(fleet, 1)
    until("1 actor", lambda: sum(measured(fleet, "chorus_actors").values()) == 1)
    goes_on(fleet)

    for rank in ("1", "0"):
        told(f"killing process {rank} in its container: the engine starts both again")
        before, container = restarts(fleet), by_rank(fleet)[rank]
        fleet.docker("exec", container, "sh", "-c", f"kill -9 $({WORKERS})")
        until("both are started again", lambda before=before: all(map(int.__gt__, restarts(fleet), before)))  # type: ignore[misc]
        goes_on(fleet)

    told("killing the container in which they meet, and starting it again")
    (first,) = [one for one in fleet.containers("learner") if fleet.inspected(one)["Name"].endswith("-learner-1")]
    fleet.docker("kill", "--signal", "KILL", first)
    fleet.compose("up", "-d", "--no-build", "--no-deps", "learner")
    scale(fleet, 2)
    goes_on(fleet)

    told("waiting for the end of the run")
    until("the end", lambda: not any(state["Running"] for state in fleet.states("learner")), 600)
    until("the end", lambda: not any(state["Running"] for state in fleet.states("actor")))
    assert {state["ExitCode"] for state in fleet.states("learner") + fleet.states("actor")} == {0}
    for container in fleet.containers("learner"):
        accounts = said(fleet, container, "accounts of all processes")[-1]
        assert accounts["balanced"] and accounts["processes"] == 2

    fleet.compose("cp", "learner:/runs/run/final/policy.safetensors", str(tmp_path / "policy.safetensors"))
    told("comparing the weights")
    expected = (tmp_path / "alone" / "final" / "policy.safetensors").read_bytes()
    assert (tmp_path / "policy.safetensors").read_bytes() == expected
    told(f"the same weights, byte for byte: SHA-256 {hashlib.sha256(expected).hexdigest()}")
