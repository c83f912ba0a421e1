"""Overcooked's kitchens."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove, random_actions
from chorus.common.environments.permitted import permit
from chorus.common.errors import EnvironmentFault, Refused

overcooked = pytest.importorskip("overcooked")
ROOM = "overcooked:cramped_room"
UP, DOWN, RIGHT, LEFT, STAY, INTERACT = range(6)


def test_a_kitchen_through_the_adapter_is_what_it_is_alone() -> None:
    ours = make(f"{ROOM}?horizon=60")
    assert [agent.observation_shape for agent in ours.spec.agents] == [(5, 4, 26)] * 2
    assert ours.spec.max_steps == 60 and ours.spec.team_reward
    kitchen = overcooked.OvercookedGridworld.from_layout_name("cramped_room")
    theirs = overcooked.OvercookedEnv.from_mdp(kitchen, horizon=60)
    frame = ours.reset(2, np.random.default_rng(0))
    draw = np.random.default_rng(1)
    for step in range(60):
        seen = theirs.mdp.lossless_state_encoding(theirs.state, horizon=60)
        np.testing.assert_array_equal(frame.observations[1], np.reshape(seen, (2, -1)))
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        _, paid, done, told = theirs.step([overcooked.Action.ALL_ACTIONS[move] for move in actions[1, :, 0]])
        np.testing.assert_array_equal(outcome.rewards[1], told["shaped_r_by_agent"])
        assert outcome.team_rewards[1] == paid
        assert outcome.truncated.all() == outcome.over.all() == done == (step == 59)
        frame = outcome.frame


def test_a_soup_that_is_delivered_is_the_teams_and_the_steps_to_it_are_the_cooks() -> None:
    environment = make(f"{ROOM}?cook_time=2")
    environment.reset(1, np.random.default_rng(0))
    onion = [LEFT, INTERACT, RIGHT, UP, INTERACT]
    dish = [LEFT, DOWN, DOWN, INTERACT, UP, RIGHT, UP, INTERACT]
    serve = [DOWN, RIGHT, DOWN, INTERACT]
    own, team = np.zeros(2), []
    for move in [UP, *onion, *onion, *onion, INTERACT, *dish, *serve]:
        outcome = environment.step(np.array([move, STAY], np.int32).reshape(1, 2, 1))
        own += outcome.rewards[0]
        team.append(float(outcome.team_rewards[0]))
    assert team[-1] == 20.0 and not any(team[:-1])
    assert own.tolist() == [3 * 3 + 3 + 5, 0]


def test_it_is_pure() -> None:
    assert prove(lambda: make(f"{ROOM}?horizon=9"))[1].purity is Purity.PURE


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("overcooked:cramped_rom", "did you mean 'cramped_room'"),
        (f"{ROOM}?horizn=3", "did you mean 'horizon'"),
        (f"{ROOM}?horizon=0", "give a whole number of at least 1"),
        ("overcooked:cramped_room_single", "has 1 cook"),
    ],
)
def test_a_wrong_name_or_setting_is_answered(spec: str, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        make(spec)


def test_its_names_are_known_and_no_others() -> None:
    permit(ROOM, ())
    with pytest.raises(Refused):
        permit("overcooked:os.system", ())
