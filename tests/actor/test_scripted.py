"""Scripted opponents: what they see, remember and draw is a function of the task, and what they answer is checked."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from chorus.actor.rollout import Player
from chorus.actor.scripted import checked
from chorus.common.environments.interface import AgentSpec
from chorus.common.errors import EnvironmentFault
from chorus.common.policy.opponents import Opponents
from chorus.common.tasks.trajectory import Trajectory, digest
from tests.playground import Game, settings, training_task, write_script

LEARNERS = [1, 2]


def play(script: str, instances: int | None = None, share: float = 1.0, **written: float) -> tuple[Game, Trajectory]:
    """A task of three agents of which the first is played by a script of `tests/scripted_players.py`."""
    config = settings(opponents={"agent_0": f"scripted:tests.scripted_players:{script}"}, self_play={"share": share})
    game = Game.of(write_script(seed=5, time=8, episodes=4, agents=3, cut=0.0, away=0.0, **written), config)  # type: ignore[arg-type]
    opponents = Opponents(game.config, game.spec, game.policies)
    player = Player(game.team, game.policies, game.config.seed, instances=instances, opponents=opponents)
    return game, player.play(game.version, training_task(), 4)


def test_the_script_acts_and_the_others_act_by_their_policy() -> None:
    game, played = play("first_allowed", born=1.0, dies=0.0)
    assert (played.actions[:, :, 0][played.acted[:, :, 0]] == 0).all()
    assert (played.log_probabilities[:, :, 0] == 0).all()
    alone = game.play()
    np.testing.assert_array_equal(played.actions[:, :, LEARNERS], alone.actions[:, :, LEARNERS])
    ours, theirs = (trajectory.log_probabilities[:, :, LEARNERS] for trajectory in (played, alone))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)  # products of other rows, so other last bits


def test_what_a_script_remembers_ends_with_its_life() -> None:
    """It counts the steps of a life, and so does the reference."""
    game, played = play("counting", dies=0.3, born=0.6)
    lives = 0
    for episode in range(4):
        count = -1
        for step in range(int(played.lengths[episode])):
            if played.acted[step, episode, 0]:
                count += 1
                assert played.actions[step, episode, 0, 0] == count % game.spec.agents[0].choices[0]
            if played.terminated[step, episode, 0] or played.truncated[step, episode, 0]:
                count, lives = -1, lives + 1
    assert lives >= 4, "nobody was born again, so nothing was shown"


def test_what_a_script_draws_is_the_tasks_episode_by_episode() -> None:
    _, first = play("by_chance", born=1.0, dies=0.0)
    _, again = play("by_chance", born=1.0, dies=0.0)
    assert digest(first) == digest(again)
    own = first.actions[:, :, 0, 0]
    assert len(np.unique(own[first.acted[:, :, 0]])) > 1
    assert not np.array_equal(own[:, 0], own[:, 1]), "every episode has draws of its own"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("too_large", "it answered 99; expected one whole number per component"),
        ("raising", "it raised KeyError: 'lost'"),
        ("leaving", "it raised SystemExit: 0, which would end the process"),
    ],
)
def test_a_script_that_breaks_the_rules_is_named(script: str, complaint: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"scripted:tests.scripted_players:{script}: agent_0, episode 0, step 0"):
        play(script, born=1.0)
    with pytest.raises(EnvironmentFault, match=re.escape(complaint)):
        play(script, born=1.0)


TWO = AgentSpec("two", (3,), (3, 2))
FORCE = AgentSpec("force", (3,), bounds=((-1.0, 1.0), (0.0, np.inf)))


def test_actions_of_several_components_and_continuous_ones_are_taken_as_they_are() -> None:
    assert checked((2, 1), TWO, None, "x").tolist() == [2, 1]
    assert checked(np.array([0.5, 7.0]), FORCE, None, "x").dtype == np.float32


@pytest.mark.parametrize(
    ("answer", "spec", "complaint"),
    [
        ((2, 2), TWO, "expected one whole number per component"),
        ((1,), TWO, "expected one whole number per component"),
        (0.5, replace(TWO, choices=(3,)), "expected one whole number"),
        (None, replace(TWO, choices=(3,)), "expected one whole number"),
        ((-1.5, 0.0), FORCE, "within"),
        ((0.0, np.nan), FORCE, "within"),
        (("a", "b"), FORCE, "within"),
    ],
)
def test_what_is_no_action_is_refused(answer: object, spec: AgentSpec, complaint: str) -> None:
    with pytest.raises(EnvironmentFault, match=complaint):
        checked(answer, spec, None, "x")


def test_what_the_mask_forbids_is_refused() -> None:
    mask = np.array([True, True, False, True, False])
    assert checked((1, 0), TWO, mask, "x").tolist() == [1, 0]
    with pytest.raises(EnvironmentFault, match="which the mask forbids"):
        checked((1, 1), TWO, mask, "x")
