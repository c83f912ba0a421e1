"""The promise: a learner of R processes makes the versions of one, byte for byte, and every process makes them."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import msgspec
import numpy as np
import pytest

from chorus.common.errors import GradientFault, TrainingFault
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.group.group import ALONE, Group, own
from chorus.learner.update.report import UpdateReport
from chorus.learner.update.training import Training
from tests.groups import Member, together
from tests.learner.update.test_training import KINDS, TASKS, game_of
from tests.learner.update.test_training import batch_of as play_batch
from tests.playground import Game, Script, write_script

MANY = {
    **KINDS,
    "several passes": {"update": {"tasks": TASKS, "passes": 3, "minibatches": 2}},
    "passes that end early": {"update": {"tasks": TASKS, "passes": 4}, "loss": {"target_kl": 1e-9}},
    "several passes, behind": {"update": {"tasks": TASKS, "passes": 2}, "lag": 1},
}
UPDATES = 2
PLAYING = Lock()
"""The script is one environment."""


@pytest.fixture
def script() -> Script:
    """Deaths, rebirths, absences and unequal lengths."""
    return write_script(seed=5, time=7, episodes=4, agents=3)


def batch_of(game: Game, update: int, version: PolicyVersion) -> list[Trajectory]:
    """A whole batch, as every member sees it."""
    with PLAYING:
        return play_batch(game, update, version)


def trained(game: Game, group: Group) -> tuple[list[bytes], list[UpdateReport]]:
    """What one process makes of its share of the tasks: versions and reports."""
    training = Training(game.config, game.spec, game.policies, {0: game.version}, group=group)
    versions, reports = [], []
    for update in range(UPDATES):
        batch = batch_of(game, update, training.version_for(update))
        mine = [training.sums(batch[index]) for index in own(group, TASKS)]
        reports.append(training.apply(mine))
        versions.append(training.current.data)
    return versions, reports


@pytest.mark.parametrize("kind", MANY)
def test_any_number_of_processes_makes_the_same_versions_and_reports(script: Script, kind: str) -> None:
    game = game_of(script, **MANY[kind])
    alone = trained(game, ALONE)
    for size in (2, TASKS + 1):  # one of five owns nothing
        for versions, reports in together(size, lambda member: trained(game, member)):
            assert versions == alone[0]
            np.testing.assert_equal([vars(report) for report in reports], [vars(report) for report in alone[1]])


def test_a_task_that_moves_to_another_place_changes_the_weights_so_the_test_above_can_fail(script: Script) -> None:
    game = game_of(script, **MANY["several passes"])
    training = Training(game.config, game.spec, game.policies, {0: game.version})
    batch = batch_of(game, 0, game.version)
    training.apply([training.sums(played) for played in [batch[0], batch[0], *batch[2:]]])
    assert training.current.data != trained(game, ALONE)[0][0]


def test_a_gradient_that_is_no_number_is_named_by_every_process(script: Script) -> None:
    game = game_of(script)

    def spoil(member: Member) -> str:
        training = Training(game.config, game.spec, game.policies, {0: game.version}, group=member)
        trained_once = batch_of(game, 0, game.version)
        training.apply([training.sums(trained_once[index]) for index in own(member, TASKS)])
        batch = batch_of(game, 1, training.current)
        mine = [training.sums(batch[index]) for index in own(member, TASKS)]
        if member.rank == 1:  # its second task: the batch's last
            part = mine[1].policies[0]
            assert part.step.gradient is not None
            bad = part.step.gradient.clone()
            bad[3] = np.inf
            mine[1] = replace(mine[1], policies=[replace(part, step=replace(part.step, gradient=bad))])
        with pytest.raises(GradientFault) as fault:
            training.apply(mine)
        assert training.update == 1
        return str(fault.value)

    assert set(together(2, spoil)) == {"the gradient of task (1, 3) is not finite; the step was not taken"}


def test_processes_that_come_to_differ_end_by_name_and_make_no_version(script: Script) -> None:
    game = game_of(script)

    def differ(member: Member) -> str:
        config = game.config
        if member.rank == 1:
            config = replace_rate(config)
        training = Training(config, game.spec, game.policies, {0: game.version}, group=member)
        batch = batch_of(game, 0, game.version)
        with pytest.raises(TrainingFault) as fault:
            training.apply([training.sums(batch[index]) for index in own(member, TASKS)])
        assert (training.update, list(training.versions)) == (0, [0])
        return str(fault.value)

    told = together(2, differ)
    assert told[0] == told[1]
    assert "differ in version 1: process 0 has" in told[0] and "process 1 has" in told[0]


def replace_rate(config: Config) -> Config:
    """A learning rate that only one process has: as if its processor computed wrongly."""
    return msgspec.structs.replace(config, optimiser=msgspec.structs.replace(config.optimiser, learning_rate=0.5))


def test_when_one_process_fails_the_others_do_not_wait_for_ever() -> None:
    def fail(member: Member) -> None:
        if member.rank == 1:
            raise ValueError("gone")
        member.gather(b"")

    with pytest.raises(ValueError, match="gone"):
        together(2, fail)
