"""Opponents act by the version that their seat names, and nothing is learned from what they do."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.actor.rollout import Player
from chorus.common.policy.opponents import Opponents
from chorus.common.policy.weights import make
from chorus.common.settings import config as configuration
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.update.training import Training
from tests.playground import Game, settings, tensors_for, write_script

FAVOURITE = 2
"""The choice that the past version always takes."""


def play(pattern: str, sharing: str) -> tuple[Game, Opponents, Training, Task, list[int]]:
    """A game at version 1 whose opponents play by version 0, and a task in which they do."""
    script = write_script(seed=5, time=8, episodes=4, agents=3, dies=0.0, cut=0.0, away=0.0, born=1.0)
    config = settings(
        opponents={pattern: "past"},
        self_play={"share": 1.0, "every": 1},
        sharing={"mode": sharing},
        loss={"normalise_advantages": False},  # else the first batch waits until it is measured as a whole
    )
    game = Game.of(script, config)
    past = tensors_for(game.policies, game.config)
    for spec in game.policies:
        past[f"{spec.name}/head.bias"] = np.where(np.arange(3) == FAVOURITE, 100.0, 0.0).astype(np.float32)
    versions = {0: make(0, past), 1: make(1, game.version.tensors())}
    training = Training(game.config, game.spec, game.policies, versions, 1)
    task = Task(1, Purpose.TRAINING, 0)
    opponents = Opponents(game.config, game.spec, game.policies)
    learners = opponents.learners(task)
    assert learners is not None
    return game, opponents, training, task, learners


@pytest.mark.parametrize("sharing", ["all", "none"])
@pytest.mark.parametrize(("pattern", "left"), [("agent_0", [1, 2]), ("agent_[12]", [0])])
def test_each_acts_by_its_own_version_and_only_the_newest_learns(pattern: str, left: list[int], sharing: str) -> None:
    game, opponents, training, task, learners = play(pattern, sharing)
    assert learners == left
    player = Player(game.team, game.policies, game.config.seed, opponents=opponents)
    past = {policy.version: policy for policy in training.past_for(task)}
    played = player.play(training.version_for(1), task, game.config.episodes, past=past)
    others = [agent for agent in range(3) if agent not in left]
    assert (played.actions[:, :, others][played.acted[:, :, others]] == FAVOURITE).all()
    assert len(np.unique(played.actions[:, :, left][played.acted[:, :, left]])) > 1

    sums = training.sums(played)
    assert sum(part.step.steps for part in sums.policies) == int(played.acted[:, :, left].sum())
    assert max(part.step.disagreement for part in sums.policies) <= 1e-5, "the opponents' actions are not judged"
    only = training.sums(played, left)
    for ours, theirs in zip(sums.policies, only.policies, strict=True):
        if ours.step.gradient is None:
            assert theirs.step.gradient is None
        else:
            np.testing.assert_array_equal(ours.step.gradient.numpy(), theirs.step.gradient.numpy())  # type: ignore[union-attr]
    training.apply([sums] * game.config.tasks)
    assert set(training.versions) == {0, 1, 2}, "the past is kept for those who meet it next"


def test_without_opponents_nothing_of_the_past_is_kept() -> None:
    game = Game.of(write_script(seed=5), configuration.check({}))
    training = Training(game.config, game.spec, game.policies, {0: make(0, game.version.tensors())})
    training.apply([training.sums(game.play())] * game.config.tasks)
    assert set(training.versions) == {1}
