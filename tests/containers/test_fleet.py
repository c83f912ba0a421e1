"""The compose file at work: built from a clean checkout, scaled, killed, watched; and the same weights as without it.

`make containers` runs this. It needs Docker with Compose: DOCKER_HOST says which engine, COMPOSE which command (default
`docker compose`).
"""

import csv
import json
import os
import shlex
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = shlex.split(os.environ.get("COMPOSE", "docker compose"))
PROJECT = f"chorus-test-{os.getpid()}"
SERVICES = ("certificates", "learner", "actor", "prometheus")
CONFIG = ("--config", "configs/spread.yaml", "--seed", "3", "--lag", "1")
RUN_SECONDS = 100.0
"""How long the run is to take without containers: long enough for all that is done to it, whatever the machine."""
PATIENCE_SECONDS = 180.0


def told(text: str) -> None:
    """A line for whoever waits: this takes minutes."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def until(what: str, found: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")


def clean_checkout(folder: Path) -> Path:
    """What is committed and nothing else."""
    archive = folder / "checkout.tar"
    subprocess.run(["git", "-C", ROOT, "archive", "--output", archive, "HEAD"], check=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "checkout", filter="data")
    return folder / "checkout"


class Fleet:
    """The compose project of this test."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.environment = os.environ | {
            "CHORUS_TAG": "test",
            "CHORUS_PORT": "0",
            "PROMETHEUS_PORT": "0",
            "GRAFANA_PORT": "0",
        }

    def compose(self, *arguments: str) -> str:
        return self._run(*COMPOSE, "-p", PROJECT, *arguments)

    def docker(self, *arguments: str) -> str:
        return self._run("docker", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.checkout, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def up(self, actors: int) -> None:
        self.compose("up", "-d", "--no-build", "--scale", f"actor={actors}", *SERVICES)

    def containers(self, service: str, *filters: str) -> list[str]:
        labels = (
            f"label=com.docker.compose.project={PROJECT}",
            f"label=com.docker.compose.service={service}",
            *filters,
        )
        return self.docker("ps", "-aq", *(part for label in labels for part in ("--filter", label))).split()

    def states(self, service: str) -> list[dict[str, Any]]:
        found = self.containers(service)
        return [one["State"] for one in json.loads(self.docker("inspect", *found))] if found else []

    def healthy(self, service: str, count: int) -> bool:
        running = [state for state in self.states(service) if state["Running"]]
        return len(running) == count and all(state["Health"]["Status"] == "healthy" for state in running)

    def log(self, service: str) -> list[dict[str, Any]]:
        lines = self.compose("logs", "--no-log-prefix", "--no-color", service).splitlines()
        return [json.loads(line) for line in lines]

    # -- what Prometheus says

    def ask(self, path: str, **query: str) -> Any:
        address = self.compose("port", "prometheus", "9090").strip()
        url = f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return json.load(reply)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def up_targets(self) -> dict[str, int]:
        """How many of each job answer; nothing unless all do."""
        targets = (self.ask("targets") or {}).get("activeTargets", [])
        if any(target["health"] != "up" for target in targets):
            return {}
        jobs = [target["labels"]["job"] for target in targets]
        return {job: jobs.count(job) for job in jobs}

    def value(self, query: str) -> float | None:
        result = (self.ask("query", query=query) or {}).get("result", [])
        return float(result[0]["value"][1]) if result else None

    def version_above(self, least: float) -> float | None:
        """The policy version, once it is that high; the run must not have ended by then."""
        assert self.states("learner")[0]["Running"], "the run is over too early: raise RUN_SECONDS"
        version = self.value("chorus_policy_version")
        return version if version is not None and version > least else None


def train(out: Path, updates: int) -> float:
    """Train without containers; return seconds per update."""
    command = [sys.executable, "-m", "chorus", "train", *CONFIG, "--updates", str(updates), "--out", str(out)]
    subprocess.run([*command, "--actors", "2"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with (out / "metrics.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    started = Fleet(clean_checkout(tmp_path))
    try:
        yield started
    finally:
        (tmp_path / "fleet.log").write_text(started.compose("logs", "--no-color"))
        told(f"taking everything down; what all of it said is in {tmp_path / 'fleet.log'}")
        started.compose("down", "-v", "--timeout", "5")


def empty_queries(fleet: Fleet) -> list[str]:
    """The queries of the dashboard that say nothing."""
    dashboard = json.loads((fleet.checkout / "deploy/grafana/dashboards/chorus.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 20
    return [query for query in queries if not (fleet.ask("query", query=query) or {}).get("result")]


@pytest.mark.containers
@pytest.mark.timeout(15 * 60)
def test_a_fleet_scaled_and_killed_learns_the_weights_of_a_run_without_containers(fleet: Fleet, tmp_path: Path) -> None:
    told("building both images from a clean checkout")
    fleet.compose("build", "certificates", "actor")

    updates = int(RUN_SECONDS / train(tmp_path / "measured", 100))
    told(f"the same run without containers: {updates} updates")
    train(tmp_path / "alone", updates)

    fleet.environment["CHORUS_ARGS"] = f"{shlex.join(CONFIG[2:])} --updates {updates}"
    told("up, with 3 actors")
    fleet.up(3)
    until("learner and actors healthy", lambda: fleet.healthy("learner", 1) and fleet.healthy("actor", 3))
    until("four targets up", lambda: fleet.up_targets() == {"learner": 1, "actor": 3})
    first = until("a version", lambda: fleet.version_above(0))
    until("a later version", lambda: fleet.version_above(first))
    early = until("a return", lambda: fleet.value('chorus_return{part="mixed"}'))

    told("scaling to 6")
    fleet.up(6)
    until("seven targets up", lambda: fleet.up_targets() == {"learner": 1, "actor": 6})
    until("6 actors at work", lambda: fleet.value("chorus_actors") == 6)
    told("scaling to 2")
    fleet.up(2)
    until("three targets up", lambda: fleet.up_targets() == {"learner": 1, "actor": 2})

    told("killing an actor")
    fleet.docker("kill", "--signal", "KILL", fleet.containers("actor", "status=running")[0])
    at = until("the other goes on", lambda: fleet.version_above(0))
    until("the other goes on", lambda: fleet.version_above(at))
    fleet.up(3)
    until("three actors again", lambda: fleet.value("chorus_actors") == 3)

    told("killing the learner")
    at = until("a version", lambda: fleet.version_above(0))
    fleet.docker("kill", "--signal", "KILL", *fleet.containers("learner"))
    fleet.up(3)
    until("the learner healthy again", lambda: fleet.healthy("learner", 1))
    until("further than before", lambda: fleet.version_above(at))
    until("all targets up again", lambda: fleet.up_targets() == {"learner": 1, "actor": 3})

    told("asking what every panel of the dashboard asks")
    until("every panel has data", lambda: not empty_queries(fleet))
    late = fleet.value('avg_over_time(chorus_return{part="mixed"}[20s])')
    assert late is not None

    told("waiting for the end of the run")
    until(
        "the end", lambda: not any(state["Running"] for state in fleet.states("learner") + fleet.states("actor")), 300
    )
    assert [state["ExitCode"] for state in fleet.states("learner")] == [0]
    assert {state["ExitCode"] for state in fleet.states("actor")} == {0}
    assert late > early + 2, f"the return went from {early} to {late}"

    for line in fleet.log("learner"):
        assert {"time", "level", "event", "run"} <= line.keys(), line
    for line in fleet.log("actor"):
        assert {"time", "level", "event", "actor"} <= line.keys(), line

    weights = Path("final", "policy.safetensors")
    fleet.compose("cp", f"learner:/runs/run/{weights}", str(tmp_path / "policy.safetensors"))
    told("comparing the weights")
    assert (tmp_path / "policy.safetensors").read_bytes() == (tmp_path / "alone" / weights).read_bytes()
    told(f"the same weights, byte for byte; the return went from {early:.1f} to {late:.1f}")
