"""The learner regroups a task's steps into lives: each with its own steps, in order, from an empty memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.environments.interface import BoolArray
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient import packed_steps as packed
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.lives import Lives, pack
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.running_statistics import Statistics
from tests import reference
from tests.counting import TOLERANCE, counting_game, counts_agree, eventful
from tests.playground import Game, Script, scripts, write_script


def learner_agrees(game: Game, played: Trajectory) -> bool:
    """Whether the learner too finds a third for every action taken."""
    tensors = game.version.tensors()
    networks = [Network.load(spec, game.config, tensors, torch.device("cpu")) for spec in game.policies]
    statistics = [Statistics.read(spec, game.config, tensors) for spec in game.policies]
    sums = gradient.task_sums(played, networks, statistics, game.spec, game.config)
    assert counts_agree(played), "what it is compared with"
    return max(part.step.disagreement for part in sums) < TOLERANCE


@settings(max_examples=60, deadline=None)
@given(
    script=scripts(agents=st.integers(2, 4), masked=st.just(False), choices=st.just((3,))),
    sharing=st.sampled_from(["all", "all_with_id", "none"]),
)
def test_the_learner_counts_as_the_environment_does(script: Script, sharing: str) -> None:
    game = counting_game(script, {"mode": sharing})
    assert learner_agrees(game, game.play())


Packing = Callable[..., Lives]


def never_splits(acted: BoolArray, ended: BoolArray) -> Lives:
    return pack(acted, np.zeros_like(ended))


def splits_a_step_late(acted: BoolArray, ended: BoolArray) -> Lives:
    return pack(acted, np.concatenate([np.zeros_like(ended[:1]), ended[:-1]]))


def splits_a_step_early(acted: BoolArray, ended: BoolArray) -> Lives:
    return pack(acted, np.concatenate([ended[1:], np.zeros_like(ended[:1])]))


def splits_at_absences(acted: BoolArray, ended: BoolArray) -> Lives:
    return pack(acted, ended | ~acted)


def mixes_two_lives(acted: BoolArray, ended: BoolArray) -> Lives:
    lives = pack(acted, ended)
    assert lives.steps is not None
    steps = lives.steps.copy()
    first, second = lives.sizes[0], lives.sizes[1]
    steps[first : first + second] = np.roll(steps[first : first + second], 1)
    return replace(lives, steps=steps)


def runs_backwards(acted: BoolArray, ended: BoolArray) -> Lives:
    lives = pack(acted[::-1], np.concatenate([ended[::-1][1:], np.zeros_like(ended[:1])]))
    assert lives.steps is not None
    time, rows = acted.shape
    return replace(lives, steps=(time - 1 - lives.steps // rows) * rows + lives.steps % rows)


def takes_rows_for_time(acted: BoolArray, ended: BoolArray) -> Lives:
    """As if the array were `[row, time]`: each sequence runs over the rows of one step."""
    lives = pack(acted.T, np.zeros_like(ended.T))
    assert lives.steps is not None
    time, rows = acted.shape
    return replace(lives, steps=(lives.steps % time) * rows + lives.steps // time)


@pytest.mark.parametrize(
    "broken",
    [
        never_splits,
        splits_a_step_late,
        splits_a_step_early,
        splits_at_absences,
        mixes_two_lives,
        runs_backwards,
        takes_rows_for_time,
    ],
)
def test_lives_gone_wrong_do_not_go_unnoticed(broken: Packing, monkeypatch: pytest.MonkeyPatch) -> None:
    game = counting_game(eventful())
    played = game.play()
    assert learner_agrees(game, played)
    monkeypatch.setattr(packed, "pack", broken)
    assert not learner_agrees(game, played)


@settings(max_examples=100, deadline=None)
@given(script=scripts())
def test_every_step_belongs_to_exactly_one_life_in_order(script: Script) -> None:
    shape = script.time, script.episodes * script.agents
    acted = script.present.reshape(shape)
    ended = (script.terminated | script.truncated).reshape(shape)
    lives = pack(acted, ended)
    steps = np.arange(acted.size) if lives.steps is None else lives.steps
    assert sorted(steps) == list(np.flatnonzero(acted)), "every step acted at, once"
    assert list(lives.lengths) == sorted(lives.lengths, reverse=True), "longest first, as packed sequences must be"
    assert [int((lives.lengths > rank).sum()) for rank in range(len(lives.sizes))] == list(lives.sizes)
    found = sorted(tuple(steps[lives.life_of_step == life].tolist()) for life in range(len(lives.lengths)))
    slow = [
        tuple((step * script.episodes + life.episode) * script.agents + life.agent for step in life.steps)
        for life in reference.lives_of(as_played(script))
    ]
    assert found == sorted(slow)


def as_played(script: Script) -> Trajectory:
    """Any trajectory of the script."""
    from tests.playground import settings as configured

    return Game.of(script, configured()).play()


def test_whole_episodes_without_deaths_are_taken_as_they_lie() -> None:
    script = write_script(seed=0, time=5, episodes=2, agents=2, dies=0.0, cut=0.0, born=1.0, away=0.0)
    script.lengths[:] = 5
    shape = 5, 4
    lives = pack(np.ones(shape, np.bool_), np.zeros(shape, np.bool_))
    assert lives.steps is None and list(lives.sizes) == [4] * 5 and list(lives.lengths) == [5] * 4
