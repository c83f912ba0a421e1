"""A study's run is the real thing: the pure core in one process makes the weights that learner and actors make."""

from pathlib import Path

import pytest

from chorus.common.settings import config as configuration
from chorus.common.settings.plain import override
from chorus.studies.run import train
from tests.system.processes import digest, opened, weights


@pytest.mark.parametrize("lag", [0, 2])
def test_a_studys_run_has_the_weights_of_a_learner_with_two_actors(tmp_path: Path, lag: int) -> None:
    assignments = ["updates=4", f"lag={lag}", "seed=3", "task.episodes=8", "update.tasks=3", "update.passes=2"]
    assignments.append("loss.baseline=value")
    settings: dict[str, object] = {}
    for assignment in assignments:
        override(settings, assignment)
    with opened(tmp_path) as chorus:
        arguments = [part for assignment in assignments for part in ("--set", assignment)]
        run = chorus.train("real", "--actors", "2", *arguments)
    assert digest(train(configuration.check(settings)).current.data) == weights(run)
