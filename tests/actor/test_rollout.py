"""A task's trajectory is what happened, no more and no less, whoever comes, dies, is reborn or is away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor.rollout import Player
from chorus.common.errors import EnvironmentFault
from chorus.common.tasks.checking import validate
from chorus.common.tasks.seeding import action_stream
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory, digest
from tests import reference
from tests.playground import GARBAGE, Game, Script, scripts, training_task, write_script
from tests.playground import settings as configured

BOUNDS = ((-1.0, 1.0), (0.0, 3.0))
every_kind = scripts(bounds=st.sampled_from([(), (), BOUNDS]))


@settings(max_examples=100, deadline=None)
@given(script=every_kind, sharing=st.sampled_from(["all", "all_with_id", "none"]))
def test_the_record_is_what_happened_slot_by_slot(script: Script, sharing: str) -> None:
    game = Game.of(script, configured(sharing={"mode": sharing}))
    played = game.play()
    assert len(played.acted) == script.time and list(played.lengths) == list(script.lengths)
    for step, episode, agent in np.ndindex(*script.present.shape):
        slot = step, episode, agent
        here, running = script.present[slot], step < script.lengths[episode]
        assert played.acted[slot] == here
        if here:
            np.testing.assert_array_equal(played.observations[slot], script.observations[slot])
            assert played.log_probabilities[slot] != 0.0 or script.choices == (1,) or script.masks is not None
            if script.masks is not None:
                np.testing.assert_array_equal(played.action_masks[slot], script.masks[slot])
        else:
            for array in (played.observations, played.actions, played.log_probabilities):
                assert not array[slot].any(), "where nobody acts, all is zero"
            if script.masks is not None:
                assert not played.action_masks[slot].any()
        assert played.individual_rewards[slot] == (script.rewards[slot] if running else 0.0)
        assert played.terminated[slot] == script.terminated[slot]
        assert played.truncated[slot] == script.truncated[slot]
    for step, episode in np.ndindex(*script.running.shape):
        expected = script.team_rewards[step, episode] if script.running[step, episode] else 0.0
        assert played.team_rewards[step, episode] == expected
    assert not (played.observations == GARBAGE).any()
    validate(played, game.spec, script.episodes)


@settings(max_examples=60, deadline=None)
@given(script=every_kind, sharing=st.sampled_from(["all", "all_with_id", "none"]))
def test_every_action_is_what_a_slow_policy_draws_row_by_row(script: Script, sharing: str) -> None:
    game = Game.of(script, configured(sharing={"mode": sharing}))
    task = training_task(3, 1)
    played = game.play(task)
    stream = action_stream(game.config.seed, task)
    shape = script.episodes, script.agents, game.spec.action_size
    draws = [
        stream.standard_normal(shape, dtype=np.float32) if script.bounds else stream.random(shape, dtype=np.float32)
        for _ in range(script.time)
    ]
    tensors = game.version.tensors()
    for spec in game.policies:
        own = reference.parameters_of(tensors, spec, game.config)
        for life in reference.lives_of(played):
            if life.agent not in spec.agents:
                continue
            outputs = reference.outputs_of(spec, own, played, life)
            judged = reference.judge(spec, own, played, life)
            for step, output, (log_pi, _) in zip(life.steps, outputs, judged, strict=True):
                slot = step, life.episode, life.agent
                expected = float(log_pi.detach())
                assert abs(float(played.log_probabilities[slot]) - expected) <= 1e-5 * max(1.0, abs(expected))
                drawn = draws[step][life.episode, life.agent]
                taken = played.actions[slot]
                if script.bounds:
                    slow = output + torch.exp(own["log_std"]) * torch.from_numpy(drawn.astype(np.float64))
                    np.testing.assert_allclose(taken, slow.detach().numpy(), atol=1e-5)
                    continue
                mask = played.action_masks[slot] if played.action_masks.size else None
                chances = reference.probabilities_of(output, script.choices, mask)
                for component, parts in enumerate(chances):
                    chosen = int(taken[component])
                    below = sum(float(part.detach()) for part in parts[:chosen])
                    assert below - 1e-5 <= drawn[component] <= below + float(parts[chosen].detach()) + 1e-5


@settings(max_examples=30, deadline=None)
@given(script=every_kind)
def test_the_environment_is_told_what_is_recorded_within_the_bounds_and_zero_for_the_absent(script: Script) -> None:
    game = Game.of(script, configured())
    played = game.play()
    for step, told in enumerate(game.team.told):
        assert not told[~script.present[step]].any()
        if not script.bounds:
            np.testing.assert_array_equal(told, played.actions[step])
            continue
        for component, (low, high) in enumerate(BOUNDS):
            before = played.actions[step, :, :, component].astype(np.float64)
            squashed = low + (np.tanh(before) + 1.0) * (high - low) / 2.0
            here = script.present[step]
            np.testing.assert_allclose(told[:, :, component][here], squashed[here], atol=1e-6)
            assert (told[:, :, component][here] >= low).all() and (told[:, :, component][here] <= high).all()


@pytest.fixture
def script() -> Script:
    return write_script(seed=3, time=8, episodes=4, agents=3, masked=True)


def test_a_trajectory_is_a_pure_function_of_version_seed_and_task(script: Script) -> None:
    game = Game.of(script, configured(seed=5))
    first = digest(game.play(training_task(2, 1)))
    game.play(training_task(0, 0))
    assert digest(game.play(training_task(2, 1))) == first
    assert digest(Game.of(script, configured(seed=5)).play(training_task(2, 1))) == first
    others = [
        game.play(training_task(2, 0)),
        game.play(training_task(1, 1)),
        game.play(Task(2, Purpose.EVALUATION, 1)),
        Game.of(script, configured(seed=6)).play(training_task(2, 1)),
        Game.of(script, configured(seed=5), seed=1).play(training_task(2, 1)),
    ]
    assert len({first, *(digest(other) for other in others)}) == 6


def without(script: Script, agent: int) -> Script:
    """The same script, with one agent never there."""
    gone = replace(
        script,
        present=script.present.copy(),
        alive=script.alive.copy(),
        terminated=script.terminated.copy(),
        truncated=script.truncated.copy(),
    )
    for array in (gone.present, gone.alive, gone.terminated, gone.truncated):
        array[:, :, agent] = False
    return gone


def test_an_agents_draws_do_not_depend_on_who_else_is_there(script: Script) -> None:
    both = Game.of(script, configured()).play()
    alone = Game.of(without(script, 1), configured()).play()
    for agent in (0, 2):
        np.testing.assert_array_equal(alone.actions[:, :, agent], both.actions[:, :, agent])
        np.testing.assert_allclose(alone.log_probabilities[:, :, agent], both.log_probabilities[:, :, agent], atol=1e-5)
    assert not alone.actions[:, :, 1].any() and both.actions[:, :, 1].any()


def test_greedy_play_takes_the_likeliest_action_and_draws_nothing_from_chance(script: Script) -> None:
    game = Game.of(script, configured())
    played = game.play(greedy=True)
    spec = game.policies[0]
    own = reference.parameters_of(game.version.tensors(), spec, game.config)
    for life in reference.lives_of(played):
        for step, output in zip(life.steps, reference.outputs_of(spec, own, played, life), strict=True):
            mask = played.action_masks[step, life.episode, life.agent]
            chances = reference.probabilities_of(output, script.choices, mask)[0]
            best = max(float(chance.detach()) for chance in chances)
            taken = float(chances[int(played.actions[step, life.episode, life.agent, 0])].detach())
            assert taken == pytest.approx(best)
    np.testing.assert_array_equal(game.play(training_task(9, 9), greedy=True).actions, played.actions)


def test_episodes_may_be_longer_than_anybody_said() -> None:
    script = write_script(seed=1, time=150, episodes=2, agents=2)
    played = Game.of(script, configured()).play()
    assert len(played.acted) == 150
    np.testing.assert_array_equal(played.acted, script.present)
    np.testing.assert_array_equal(played.team_rewards[script.running], script.team_rewards[script.running])


def test_an_episode_beyond_the_environments_own_limit_is_its_fault() -> None:
    script = write_script(seed=1, time=9, episodes=2, agents=2)
    assert len(Game.of(script, configured(), max_steps=9).play().acted) == 9
    with pytest.raises(EnvironmentFault, match="beyond max_steps = 8"):
        Game.of(script, configured(), max_steps=8).play()


@pytest.mark.parametrize("sharing", ["all", "none"])
def test_an_agent_that_may_do_nothing_is_named_with_its_episode_and_step(script: Script, sharing: str) -> None:
    assert script.masks is not None
    step, episode, agent = (int(number) for number in np.argwhere(script.present)[-1])
    script.masks[step, episode, agent] = False
    with pytest.raises(EnvironmentFault) as caught:
        Game.of(script, configured(sharing={"mode": sharing})).play(training_task(7, 2))
    assert str(caught.value) == (
        f"the action mask allows nothing: agent number {agent}, episode {episode}, step {step} of training task (7, 2)"
    )


def test_masked_actions_are_never_taken_in_a_rollout() -> None:
    for seed in range(20):
        script = write_script(seed=seed, time=6, episodes=4, agents=2, choices=(2, 3), masked=True)
        played = Game.of(script, configured(), seed=seed).play()
        for slot in np.argwhere(played.acted):
            mask, (first, second) = played.action_masks[tuple(slot)], played.actions[tuple(slot)]
            assert mask[first] and mask[2 + second]


def test_steps_and_frames_are_reported_as_they_come(script: Script) -> None:
    game = Game.of(script, configured())
    steps: list[int] = []
    frames: list[int] = []
    player = Player(game.team, game.policies, game.config.seed)
    player.play(
        game.version, training_task(), script.episodes, steps.append, lambda: frames.append(len(game.team.told))
    )
    assert steps == list(range(8)) and frames == list(range(9))
    assert player.phases.environment > 0.0 and player.phases.inference > 0.0


def test_the_record_does_not_change_when_the_environment_goes_on(script: Script) -> None:
    game = Game.of(script, configured())
    played = game.play()
    before = digest(played)
    game.play(training_task(1))
    assert digest(played) == before and isinstance(played, Trajectory)
