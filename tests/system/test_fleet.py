"""A learner and actors on real ports, as on several machines: joining, dying, being watched."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from typing import Any

import psutil
import pytest

from tests.system.processes import Chorus, Process, rows, until

LONG = ("--updates", "100000")
MEGABYTE = 1 << 20


def status(chorus: Chorus, address: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(chorus.run("status", address, "--json"))
    return told


def metrics_of(process: Process, event: str) -> str:
    port = process.event(event)["metrics_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text: str = reply.read().decode()
    return text


def value(exposition: str, name: str) -> float:
    (line,) = [line for line in exposition.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


def promtool(exposition: str) -> str:
    """What promtool finds wrong."""
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is not installed")
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, "check", "metrics"], input=exposition, text=True, capture_output=True, timeout=60)
    return done.stdout + done.stderr


def test_actors_come_and_go_in_mid_run_and_status_tells_it_as_it_is(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *LONG, "--metrics-port", "0")
    assert status(chorus, address)["state"] == "waiting for actors"
    first = chorus.actor(address, "first", "--metrics-port", "0")
    chorus.actor(address, "second").event("ready")
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    before = status(chorus, address)
    assert before["state"] == "training"
    assert {actor["actor"] for actor in before["actors"]} == {"first", "second"}
    assert all(int(actor["completed"]) > 0 for actor in before["actors"])

    for event, process, metric in (
        ("learner listens", learner, "chorus_updates_total"),
        ("metrics", first, "chorus_actor_agent_steps_total"),
    ):
        exposition = metrics_of(process, event)
        assert value(exposition, metric) > 0
        assert promtool(exposition) == ""

    chorus.actor(address, "third").event("ready")
    first.send(signal.SIGKILL)
    learner.event("actor left", actor="first")
    reached = len(rows(chorus.folder / "run"))
    until(lambda: len(rows(chorus.folder / "run")) > reached + 3)
    after = status(chorus, address)
    assert {actor["actor"] for actor in after["actors"]} == {"second", "third"}
    assert after["update"] > before["update"]
    tasks = {name: int(count) for name, count in after["tasks"].items()}
    ended = ("completed", "repeated", "failed", "requeued", "outstanding")
    assert tasks["issued"] == sum(tasks[name] for name in ended)
    assert tasks["failed"] == 0  # whether a lease was requeued depends on what the killed one held just then
    assert tasks["refused"] == 0
    told = chorus.run("status", address)
    assert "2 actors" in told
    assert "third" in told
    assert "NOT REPRODUCIBLE" not in told


def test_health_is_asked_of_learner_and_actor(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *LONG, "--metrics-port", "0")
    actor = chorus.actor(address, "only", "--metrics-port", "0")
    for place in (
        address,
        f"http://127.0.0.1:{learner.event('learner listens')['metrics_port']}",
        f"http://127.0.0.1:{actor.event('metrics')['metrics_port']}",
    ):
        assert chorus.run("health", place) == "ok\n"
    assert "no answer" in chorus.start("health", "127.0.0.1:1", "--timeout", "0.5").refused()
    assert "no answer" in chorus.start("health", "http://127.0.0.1:1", "--timeout", "0.5").refused()


def test_an_actor_never_loads_torch_and_stays_small(chorus: Chorus) -> None:
    """What a process has loaded is seen in its memory map, without asking it."""
    learner, address = chorus.learner("run", *LONG)
    actor = chorus.actor(address, "only")
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    maps = {place.path for place in psutil.Process(actor.pid).memory_maps(grouped=True)}
    assert any("numpy" in path for path in maps)
    assert not [path for path in maps if "torch" in path]
    assert any("torch" in place.path for place in psutil.Process(learner.pid).memory_maps(grouped=True))
    assert psutil.Process(actor.pid).memory_info().rss < 100 * MEGABYTE


def test_an_actor_outlives_its_learner_and_finds_the_next_one(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *LONG)
    actor = chorus.actor(address, "faithful")
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    learner.send(signal.SIGTERM)
    learner.succeeded()
    reached = len(rows(chorus.folder / "run"))
    chorus.learner("run", *LONG, port=int(address.rpartition(":")[2]))
    until(lambda: len(rows(chorus.folder / "run")) > reached + 3)
    actor.send(signal.SIGTERM)
    actor.succeeded()


def test_an_actor_ends_with_the_run(chorus: Chorus) -> None:
    """One actor only: a second might come after the last update, and would wait for the learner to return."""
    learner, address = chorus.learner("run", "--updates", "3")
    actor = chorus.actor(address, "only")
    learner.succeeded()
    actor.succeeded()


def test_two_actors_of_one_name_are_told_apart(chorus: Chorus) -> None:
    _, address = chorus.learner("run", *LONG)
    chorus.actor(address, "twin").event("ready")
    second = chorus.actor(address, "twin")
    assert "an actor named 'twin' is connected already" in second.event("stream lost")["details"]
