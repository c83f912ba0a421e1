"""Faults of all kinds over one run, and kills of the learner at any moment: the same weights, nothing left behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from chorus.chaos.experiment import KINDS, schedule
from tests.system.processes import Chorus

SETTINGS = ("--set", "task.episodes=8", "--set", "checkpoint.every=5")


def chaos(chorus: Chorus, *arguments: str) -> dict[str, Any]:
    out: Path = chorus.folder / "chaos"
    process = chorus.start("chaos", "--out", out, *SETTINGS, *arguments)
    code = process.popen.wait()
    assert code == 0, process.out.read_text() + process.err.read_text()
    verdict: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return verdict


def test_equal_seeds_give_equal_faults() -> None:
    assert schedule(1, 50, 3, KINDS) == schedule(1, 50, 3, KINDS)
    assert schedule(1, 50, 3, KINDS) != schedule(2, 50, 3, KINDS)
    assert {fault.kind for fault in schedule(1, 500, 3, KINDS)} == KINDS.keys()


def test_a_handful_of_faults_changes_nothing(chorus: Chorus) -> None:
    verdict = chaos(chorus, "--updates", "24", "--faults", "7", "--actors", "2", "--chaos-seed", "3")
    assert len(verdict["faults"]) >= 4
    assert verdict["accounts"]["balanced"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_faults_of_all_kinds_change_nothing(chorus: Chorus) -> None:
    verdict = chaos(chorus, "--updates", "600", "--faults", "200", "--lag", "1")
    assert verdict["faults"].keys() == KINDS.keys()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_learner_killed_at_thirty_moments_ends_as_if_it_never_was(chorus: Chorus) -> None:
    """With a checkpoint every update, many of them strike while one is being written."""
    settings = ("--updates", "300", "--set", "checkpoint.every=1", "--actors", "2")
    verdict = chaos(chorus, *settings, "--faults", "30", "--only", "kill-learner")
    assert verdict["starts"]["learner"] > 15
