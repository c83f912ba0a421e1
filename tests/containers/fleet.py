"""The compose project that the tests of this folder start, and what they ask of it.

It needs Docker with Compose: DOCKER_HOST says which engine, COMPOSE which command (default `docker compose`).
"""

import json
import os
import shlex
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = shlex.split(os.environ.get("COMPOSE", "docker compose"))
PROJECT = f"chorus-test-{os.getpid()}"
SERVICES = ("certificates", "learner", "actor", "prometheus")
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

    @property
    def command(self) -> tuple[str, ...]:
        """The words that a compose command of this project begins with."""
        return (*COMPOSE, "-p", PROJECT)

    def compose(self, *arguments: str) -> str:
        return self._run(*self.command, *arguments)

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
        return [self.inspected(container)["State"] for container in self.containers(service)]

    def inspected(self, container: str) -> dict[str, Any]:
        """All that the engine knows of a container."""
        (found,) = json.loads(self.docker("inspect", container))
        return dict(found)

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
        assert self.states("learner")[0]["Running"], "the run is over too early: make it longer"
        version = self.value("chorus_policy_version")
        return version if version is not None and version > least else None
