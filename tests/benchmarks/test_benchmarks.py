"""Every benchmark works and says what it should say; how fast anything is, is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chorus.benchmarks import memory, suite
from chorus.benchmarks.measurement import Effort
from chorus.benchmarks.simulation import Simulation, Swarm

RATED = ("learner", "actor", "wire", "train", "page", "scale")


@pytest.mark.parametrize("name", suite.NAMES)
def test_a_benchmark_yields_tables_with_figures_beside_their_limits(name: str) -> None:
    tables = suite.measure(name, Effort.TINY)
    rows = [row for table in tables for row in table.rows]
    assert rows
    for table in tables:
        assert table.title
        for row in table.rows:
            assert {column.key for column in table.columns} <= row.keys()
        assert table.text().count("\n") == len(table.rows) + 1
        assert table.markdown().count("\n|") == len(table.rows) + 2
    limits = {"limit_", "roofline", "times_raw", "share_of"}
    assert any(key.startswith(tuple(limits)) for row in rows for key in row)
    assert any("agent_steps_per_second" in row for row in rows) == (name in RATED)
    json.dumps(suite.plain({}, {name: tables}), allow_nan=False)


@pytest.mark.parametrize("module", ["group", "group_streams"])
def test_two_processes_of_a_learner_are_measured_together(module: str) -> None:
    """By the command that `docs/scaling.md` and `docs/distributed.md` name."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    small = {"group": ["--tasks", "2", "--passes", "1"], "group_streams": ["--streams", "4", "--updates", "3"]}
    command = [*launcher, f"chorus.benchmarks.{module}", *small[module]]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told["processes"] == 2
    if module == "group_streams":
        assert told["tasks_answered"] == [6.0, 6.0]  # of three updates, each one's own two
        assert told["megabytes_into_sums_of_a_process_an_update"] > 0.3  # 12 bytes for each of 35 000 numbers
    else:
        assert told["megabytes_of_a_process"] > 0.3


def test_the_command_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.bench(["ledger"], Effort.TINY, "json", tmp_path / "deep" / "bench.json") == 0
    written = json.loads((tmp_path / "deep" / "bench.json").read_text())
    assert written == json.loads(capsys.readouterr().out)
    assert written["machine"]["cores"] >= 1
    assert written["benchmarks"]["ledger"][0]["rows"][0]["operations_per_second"] > 0


def test_a_simulation_is_a_function_of_its_seed() -> None:
    swarm = Swarm(actors=20, tasks=40, life=20.0, shock=0.5, updates=6, gradient=0.05, seed=3)
    assert Simulation(swarm).run() == Simulation(swarm).run()


def test_simulated_actors_that_never_die_play_nothing_in_vain() -> None:
    story = Simulation(Swarm(actors=20, tasks=80, updates=5, unlike=0.0, uneven=0.0)).run()
    assert story.deaths == story.repeated == 0
    assert story.wasted == 0.0


def test_a_simulated_run_survives_the_death_of_half_of_its_actors() -> None:
    story = Simulation(Swarm(actors=50, tasks=200, updates=12, life=600.0, shock=0.5, absence=2.0, seed=1)).run()
    assert story.updates == 11
    assert story.deaths >= 15
    assert story.recovery is not None


def test_a_peak_is_kept_after_the_memory_is_given_back() -> None:
    hold = "held = b'x' * 200_000_000\ndel held\nprint(flush=True)\ninput()"
    child = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert 200 < memory.peak(child.pid) < 400
    assert memory.words(child.pid)[1:3] == ["-c", hold]
    child.communicate(b"\n")
