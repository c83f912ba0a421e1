"""What could not have come from the environment is refused, each by its name, before anything is learned from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import MalformedData
from chorus.common.tasks.checking import validate
from chorus.common.tasks.trajectory import Trajectory, digest
from tests.playground import Game, Script, scripts, training_task, write_script
from tests.playground import settings as configured


def game(**kind: Any) -> Game:
    """Some game with masks, deaths and unequal lengths."""
    script = write_script(seed=3, time=8, episodes=4, agents=3, choices=(3, 2), **({"masked": True} | kind))
    assert script.lengths.min() < script.time
    return Game.of(script, configured(), max_steps=8)


def late(trajectory: Trajectory) -> tuple[int, int]:
    """A step and an episode that was over by then."""
    step, episode = np.argwhere(np.arange(8)[:, None] >= trajectory.lengths)[0]
    return int(step), int(episode)


def idle(trajectory: Trajectory) -> tuple[int, ...]:
    """A slot where nobody acted."""
    return tuple(int(number) for number in np.argwhere(~trajectory.acted)[0])


def busy(trajectory: Trajectory) -> tuple[int, ...]:
    """A slot where somebody acted."""
    return tuple(int(number) for number in np.argwhere(trajectory.acted)[0])


def with_array(trajectory: Trajectory, name: str, array: np.ndarray) -> Trajectory:
    """The trajectory with another array of that name."""
    fields: dict[str, Any] = {name: array}
    return replace(trajectory, **fields)


def put(name: str, where: Callable[[Trajectory], Any], value: Any) -> Callable[[Trajectory], Trajectory]:
    """The trajectory with another number in one place."""

    def spoil(trajectory: Trajectory) -> Trajectory:
        array = trajectory.arrays[name].copy()
        array[where(trajectory)] = value
        return with_array(trajectory, name, array)

    return spoil


def cast(name: str, dtype: Any) -> Callable[[Trajectory], Trajectory]:
    """The trajectory with an array of another type."""
    return lambda trajectory: with_array(trajectory, name, trajectory.arrays[name].astype(dtype))


def cut(name: str) -> Callable[[Trajectory], Trajectory]:
    """The trajectory with an array that is too short."""
    return lambda trajectory: with_array(trajectory, name, trajectory.arrays[name][:-1])


def forbid(trajectory: Trajectory) -> Trajectory:
    masks = trajectory.action_masks.copy()
    slot = busy(trajectory)
    masks[(*slot, int(trajectory.actions[(*slot, 0)]))] = False
    return replace(trajectory, action_masks=masks)


def everything(trajectory: Trajectory) -> tuple[slice, ...]:
    return (slice(None),)


SPOILED: dict[str, tuple[Callable[[Trajectory], Trajectory], str]] = {
    **{f"{name} too short": (cut(name), name) for name in Trajectory.NAMES if name != "acted"},
    **{
        f"{name} of another type": (cast(name, np.int32 if name == "lengths" else np.float64), name)
        for name in Trajectory.NAMES
        if name != "lengths"
    },
    "lengths of another type": (cast("lengths", np.float32), "lengths is float32"),
    **{
        f"{name} not a number": (put(name, busy, np.nan), f"{name} holds a NaN or an infinity")
        for name in ("observations", "log_probabilities", "individual_rewards")
    },
    "team_rewards infinite": (put("team_rewards", lambda t: (0, 0), np.inf), "team_rewards holds a NaN or an infinity"),
    "a NaN where nobody looks": (put("observations", idle, np.nan), "observations holds a NaN"),
    "an action too large": (put("actions", lambda t: (*busy(t), 1), 2), "actions of agent_"),
    "an action below zero": (put("actions", lambda t: (*busy(t), 0), -1), "actions of agent_"),
    "an action that was masked": (forbid, "hold one that action_masks forbids"),
    "a probability above one": (put("log_probabilities", busy, 0.1), "log_probabilities holds a probability above 1"),
    "an action after the end": (put("acted", lambda t: (*late(t), 0), True), "acted is set after the end"),
    "a reward after the end": (
        put("individual_rewards", lambda t: (*late(t), 0), 1.0),
        "individual_rewards is set after the end",
    ),
    "a team reward after the end": (put("team_rewards", late, 1.0), "team_rewards is set after the end"),
    "a death after the end": (put("terminated", lambda t: (*late(t), 0), True), "terminated is set after the end"),
    "nobody acting": (put("acted", everything, False), "nobody did anything"),
    "an episode of no length": (put("lengths", lambda t: 0, 0), "lengths run from 0"),
    "an episode longer than the record": (put("lengths", lambda t: 0, 9), "lengths run from"),
    "a record longer than every episode": (put("lengths", everything, 3), "lengths run from 3 to 3"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_cannot_be_is_refused_and_named(how: str) -> None:
    spoil, message = SPOILED[how]
    made = game()
    played = made.play()
    validate(played, made.spec, 4)
    with pytest.raises(MalformedData) as caught:
        validate(spoil(played), made.spec, 4)
    assert message in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(script=scripts(bounds=st.sampled_from([(), ((-1.0, 1.0),)])))
def test_whatever_an_environment_may_do_is_accepted(script: Script) -> None:
    made = Game.of(script, configured())
    validate(made.play(), made.spec, script.episodes)


def test_another_number_of_episodes_or_agents_is_refused() -> None:
    made = game()
    played = made.play()
    with pytest.raises(MalformedData, match=r"observations is float32 \[8, 4, 3, 3\]; expected float32 \[8, 5, 3, 3\]"):
        validate(played, made.spec, 5)
    smaller = EnvironmentSpec("some", "some 1", made.spec.agents[:2], 8, True, True)
    with pytest.raises(MalformedData, match="observations is"):
        validate(played, smaller, 4)


def test_more_steps_than_the_environment_can_have_are_refused() -> None:
    made = game()
    with pytest.raises(MalformedData, match="acted covers 8 steps; expected 1 to 7"):
        validate(made.play(), replace(made.spec, max_steps=7), 4)
    empty = replace(made.play(), acted=np.zeros((0, 4, 3), np.bool_))
    with pytest.raises(MalformedData, match="acted covers 0 steps"):
        validate(empty, made.spec, 4)
    with pytest.raises(MalformedData, match="acted covers 0 steps"):
        validate(replace(made.play(), acted=np.zeros((), np.bool_)), made.spec, 4)


def test_masks_come_if_and_only_if_the_environment_has_them() -> None:
    made, bare = game(), game(masked=False)
    with pytest.raises(MalformedData, match="action_masks is"):
        validate(bare.play(), made.spec, 4)
    with pytest.raises(MalformedData, match="action_masks is"):
        validate(made.play(), bare.spec, 4)


def test_a_log_probability_of_a_continuous_action_may_be_above_zero() -> None:
    made = game(bounds=((0.0, 1e-3),))
    played = made.play()
    assert (played.log_probabilities > 0.0).any()
    validate(played, made.spec, 4)


def test_a_digest_covers_everything_that_was_played() -> None:
    played = game().play()
    seen = {digest(played)}
    for name, array in played.arrays.items():
        other = array.copy()
        flat = other.reshape(-1)
        flat[-1] = not flat[-1] if array.dtype == np.bool_ else flat[-1] + 1
        seen.add(digest(with_array(played, name, other)))
    seen.add(digest(with_array(played, "actions", played.actions.reshape(-1))))
    seen.add(digest(replace(played, version=1)))
    seen.add(digest(replace(played, task=training_task(0, 1))))
    seen.add(digest(replace(played, task=training_task(1, 0))))
    assert len(seen) == 1 + len(Trajectory.NAMES) + 4
    assert digest(replace(played, observations=np.asfortranarray(played.observations))) == digest(played)


def test_steps_are_counted_by_episode_and_by_agent() -> None:
    made = game()
    played = made.play()
    assert played.env_steps == sum(int(length) for length in made.team.script.lengths)
    assert played.agent_steps == sum(bool(here) for here in made.team.script.present.ravel())
