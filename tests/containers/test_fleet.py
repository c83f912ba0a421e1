"""The compose file at work: built from a clean checkout, scaled, killed, watched; and the same weights as without it.

`make containers` runs this.
"""

import csv
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.fleet import ROOT, Fleet, told, until

CONFIG = ("--config", "configs/spread.yaml", "--seed", "3", "--lag", "1")
RUN_SECONDS = 100.0
"""How long the run is to take without containers: long enough for all that is done to it, whatever the machine."""


def train(out: Path, updates: int) -> float:
    """Train without containers; return seconds per update."""
    command = [sys.executable, "-m", "chorus", "train", *CONFIG, "--updates", str(updates), "--out", str(out)]
    subprocess.run([*command, "--actors", "2"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with (out / "metrics.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)


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
