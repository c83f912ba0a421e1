"""What a run writes down is enough to compare it, to play any task of it again, and to find out who is not to be
trusted."""

import json
import shutil
from pathlib import Path

import pytest

from tests.system.processes import Chorus, batches, weights

SETTINGS = ("--updates", "12", "--set", "checkpoint.every=3", "--set", "checkpoint.keep=1")
OWN = "tests.system.toys"


@pytest.fixture(scope="module")
def run(shared: Chorus) -> Path:
    return shared.train("run", *SETTINGS, "--actors", "2")


def test_diff_names_the_first_update_at_which_two_runs_part(chorus: Chorus, run: Path) -> None:
    other = shutil.copytree(run, chorus.folder / "other")
    assert "equal over 12 updates\nfinal weights are equal" in chorus.run("diff", run, other)
    lines = (other / "batches.jsonl").read_text().splitlines()
    changed = json.loads(lines[7])
    changed["digest"] = changed["tasks"][2]["digest"] = "0" * 64
    (other / "batches.jsonl").write_text("\n".join([*lines[:7], json.dumps(changed), *lines[8:]]) + "\n")
    parted = chorus.start("diff", run, other)
    assert parted.ended() == 1
    told = parted.out.read_text()
    assert "part at update 7" in told
    assert "task 2: " in told
    assert "task 1: " not in told


def test_runs_of_other_seeds_part_at_once(chorus: Chorus, run: Path) -> None:
    other = chorus.train("seed", *SETTINGS, "--seed", "1", "--actors", "1")
    parted = chorus.start("diff", run, other)
    assert parted.ended() == 1
    assert "part at update 0" in parted.out.read_text()


@pytest.mark.parametrize(("update", "task"), [(0, 0), (11, 1)])
def test_any_task_is_played_again_from_the_run_folder_alone(chorus: Chorus, run: Path, update: int, task: int) -> None:
    film = chorus.folder / "film.gif"
    told = chorus.run("replay", run, "--update", str(update), "--task", str(task), "--gif", film)
    assert "the record holds the same" in told
    assert batches(run)[update]["tasks"][task]["digest"] in told
    assert film.read_bytes()[:6] == b"GIF89a"


@pytest.mark.slow
def test_replay_reaches_lagging_updates_too(chorus: Chorus) -> None:
    lagging = chorus.train("lagging", *SETTINGS, "--lag", "2", "--actors", "2")
    assert "by version 6" in chorus.run("replay", lagging, "--update", "8", "--task", "0")


def test_a_task_that_is_none_is_refused(chorus: Chorus, run: Path) -> None:
    assert "there is no task (12, 0)" in chorus.start("replay", run, "--update", "12", "--task", "0").refused()


@pytest.mark.parametrize("actors", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_audits_change_nothing_and_find_nothing_in_a_sound_run(chorus: Chorus, run: Path, actors: int) -> None:
    """With one actor, a fresh process plays the second runs."""
    audited = chorus.train("audited", *SETTINGS, "--audit", "0.1", "--actors", str(actors))
    assert weights(audited) == weights(run)
    (accounts,) = [event for event in log(audited) if event["event"] == "accounts"]
    assert accounts["balanced"]
    assert accounts["audited"] == 5, "which tasks are audited is a function of the seed"
    assert accounts["unequal"] == 0


@pytest.mark.slow
def test_an_audit_finds_hidden_randomness_within_200_tasks_at_5_percent(chorus: Chorus) -> None:
    spec = f"{OWN}:troubled?trouble=host"
    settings = ("--updates", "50", "--env", spec, "--audit", "0.05", "--set", "audit.stop=true", "--actors", "2")
    complaint = chorus.start("train", "--out", chorus.folder / "run", *settings, "--set", "task.episodes=4").refused()
    assert "came out differently on 'actor-" in complaint
    assert "observations[3, 0, 0, 0] is" in complaint
    assert "audit: training task" in (chorus.folder / "run" / "config.yaml").read_text()
    assert len(batches(chorus.folder / "run")) < 50


def log(run: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines() if line.startswith("{")]
