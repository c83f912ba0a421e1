"""A study's run is the real thing: the pure core in one process makes the weights that learner and actors make."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.processes import ROOT, opened, weights

ALONE = """
from chorus.common.process import arithmetic; arithmetic.pin()
import hashlib, sys
from chorus.common.settings import config
from chorus.common.settings.plain import override
from chorus.studies.run import train
settings = {}
for assignment in sys.argv[1:]:
    override(settings, assignment)
print(hashlib.sha256(train(config.check(settings)).current.data).hexdigest())
"""
"""In a process of its own, as studies run: in this one other tests may have left another arithmetic."""


@pytest.mark.parametrize("lag", [0, 2])
def test_a_studys_run_has_the_weights_of_a_learner_with_two_actors(tmp_path: Path, lag: int) -> None:
    assignments = ["updates=4", f"lag={lag}", "seed=3", "task.episodes=8", "update.tasks=3", "update.passes=2"]
    assignments.append("loss.baseline=value")
    command = [sys.executable, "-c", ALONE, *assignments]
    alone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with opened(tmp_path) as chorus:
        arguments = [part for assignment in assignments for part in ("--set", assignment)]
        run = chorus.train("real", "--actors", "2", *arguments)
    assert alone == weights(run)
