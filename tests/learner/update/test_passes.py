"""Several steps on one batch: the first is REINFORCE, the later ones follow the clipped surrogate, and bits hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from chorus.common.errors import GradientFault
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.update.training import Training, first_version
from tests import reference
from tests.playground import Game, Script, training_task, write_script
from tests.playground import settings as configured

TASKS = 4
PLAIN: dict[str, Any] = {"optimiser": {"name": "sgd", "learning_rate": 0.5, "clip": None}}


@pytest.fixture
def script() -> Script:
    """Deaths, rebirths, absences and unequal lengths."""
    return write_script(seed=5, time=7, episodes=4, agents=3)


def game_of(script: Script, **sections: Any) -> Game:
    """The script played by version 0 of a run."""
    update = {"tasks": TASKS} | sections.pop("update", {})
    game = Game.of(script, configured(update=update, **sections))
    return replace(game, version=first_version(game.config, game.policies))


def batch_of(game: Game, update: int, version: PolicyVersion) -> list[Trajectory]:
    """A whole batch."""
    return [replace(game, version=version).play(training_task(update, index)) for index in range(TASKS)]


def trained(game: Game, updates: int, threads: int = 0) -> Training:
    """A training after so many updates, whose later passes are differentiated on so many threads."""
    training = Training(game.config, game.spec, game.policies, {0: game.version})
    with ThreadPoolExecutor(threads or 1) as pool:
        for _ in range(updates):
            batch = batch_of(game, training.update, training.version_for(training.update))
            sums = [training.sums(played) for played in batch]
            training.apply(sums, pool.map if threads else map)
    return training


def surrogate(weights: np.ndarray, batch: list[Trajectory], tasks: range, game: Game) -> np.ndarray:
    """The gradient of the clipped surrogate of some tasks, written out step by step (Schulman et al. 2017): the
    advantages are those of the whole batch, by leave-one-out, in units of their root mean square."""
    spec, clip = game.policies[0], game.config.loss.surrogate_clip
    own = unpacked(weights, game)
    returns = [reference.credit(played, game.spec, game.config) for played in batch]
    advantages = [given - reference.baseline(given, spec.agents, "agent") for given in returns]
    acted = np.concatenate([given[played.acted] for given, played in zip(advantages, batch, strict=True)])
    scale = float(np.sqrt(np.square(acted).mean()))
    bonus = value_at(game.config.loss.entropy, 0)
    loss, steps = torch.zeros((), dtype=torch.float64), 0
    for index in tasks:
        played = batch[index]
        for life in reference.lives_of(played):
            for step, (log_pi, entropy) in zip(life.steps, reference.judge(spec, own, played, life), strict=True):
                slot = step, life.episode, life.agent
                ratio = torch.exp(log_pi - float(played.log_probabilities[slot]))
                worth = float(advantages[index][slot]) / scale
                held = min(max(float(ratio.detach()), 1.0 - clip), 1.0 + clip) * worth
                plain = ratio * worth
                loss = loss - (plain if float(plain.detach()) <= held else torch.tensor(held)) - bonus * entropy
                steps += 1
    parts = torch.autograd.grad(loss / steps, list(own.values()))
    return np.concatenate([part.numpy().ravel() for part in parts])


def unpacked(flat: np.ndarray, game: Game) -> dict[str, torch.Tensor]:
    """A policy's tensors from one vector, as float64 leaves."""
    own, start = reference.parameters_of(game.version.tensors(), game.policies[0], game.config), 0
    for name, value in own.items():
        values = flat[start : start + value.numel()].reshape(value.shape)
        own[name] = torch.from_numpy(values.copy()).requires_grad_()
        start += value.numel()
    return own


def flat(version: PolicyVersion, game: Game) -> np.ndarray:
    own = reference.parameters_of(version.tensors(), game.policies[0], game.config)
    return np.concatenate([value.detach().numpy().ravel() for value in own.values()])


@pytest.mark.parametrize("minibatches", [1, 2, 4])
@pytest.mark.parametrize("passes", [1, 3])
def test_steps_after_the_first_follow_the_clipped_surrogate_of_the_batchs_own_advantages(
    script: Script, passes: int, minibatches: int
) -> None:
    game = game_of(script, update={"passes": passes, "minibatches": minibatches}, **PLAIN)
    batch = batch_of(game, 0, game.version)
    weights, size = flat(game.version, game), TASKS // minibatches
    for _ in range(passes):
        for first in range(0, TASKS, size):
            weights = weights - 0.5 * surrogate(weights, batch, range(first, first + size), game)
    training = trained(game, 1)
    np.testing.assert_allclose(flat(training.current, game), weights, atol=3e-6)


def test_the_first_step_of_an_on_policy_batch_is_the_averaged_reinforce_gradient(script: Script) -> None:
    """The surrogate's slope at a ratio of 1: `passes: 1` and the first of many are one formula."""
    game = game_of(script, **PLAIN)
    batch = batch_of(game, 0, game.version)
    stepped = flat(game.version, game) - 0.5 * surrogate(flat(game.version, game), batch, range(TASKS), game)
    np.testing.assert_allclose(flat(trained(game, 1).current, game), stepped, atol=1e-6)


KINDS: dict[str, dict[str, Any]] = {
    "four passes": {"update": {"passes": 4}},
    "four passes of two steps, a version late": {"update": {"passes": 4, "minibatches": 2}, "lag": 1},
    "a value that sees the team": {
        "update": {"passes": 3, "minibatches": 2},
        "loss": {"baseline": "value", "target_kl": 0.01},
        "value": {"network": "own", "sees": "team"},
        "reward": {"scale": "deviation"},
    },
    "a policy each": {"update": {"passes": 2}, "sharing": {"mode": "none"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_changes_no_bit(script: Script, kind: str) -> None:
    game = game_of(script, **KINDS[kind])
    assert len({trained(game, 3, threads).current.data for threads in (0, 1, 3)}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_taken_up_again_ends_as_if_it_had_not_stopped(script: Script, kind: str) -> None:
    game = game_of(script, **KINDS[kind])
    whole, half = trained(game, 4), trained(game, 2)
    resumed = Training(game.config, game.spec, game.policies, half.versions, 2, half.optimiser_state)
    for _ in range(2):
        batch = batch_of(game, resumed.update, resumed.version_for(resumed.update))
        resumed.apply([resumed.sums(played) for played in batch])
    assert resumed.current.data == whole.current.data


def test_no_step_is_taken_once_the_policy_is_far_enough_from_the_one_that_acted(script: Script) -> None:
    free = game_of(script, update={"passes": 20}, **PLAIN)
    near = game_of(script, update={"passes": 20}, loss={"target_kl": 0.002}, **PLAIN)
    batch = batch_of(free, 0, free.version)
    reports = []
    for game in (free, near):
        training = Training(game.config, game.spec, game.policies, {0: game.version})
        reports.append(training.apply([training.sums(played) for played in batch]))
    assert reports[0].passes == 20.0 and reports[0].kl > 0.002
    assert 1.0 <= reports[1].passes < 20.0 and reports[1].kl <= 0.002


def test_the_divergence_is_that_of_the_acting_policy_from_the_one_at_hand(script: Script) -> None:
    game = game_of(script, update={"passes": 2, "minibatches": 1}, **PLAIN)
    batch = batch_of(game, 0, game.version)
    weights = flat(game.version, game)
    weights = weights - 0.5 * surrogate(weights, batch, range(TASKS), game)
    own, terms, beyond = unpacked(weights, game), [], 0
    returns = [reference.credit(played, game.spec, game.config) for played in batch]
    worth = [given - reference.baseline(given, range(3), "agent") for given in returns]
    for played, advantages in zip(batch, worth, strict=True):
        for life in reference.lives_of(played):
            judged = reference.judge(game.policies[0], own, played, life)
            for step, (log_pi, _) in zip(life.steps, judged, strict=True):
                slot = step, life.episode, life.agent
                distance = float(log_pi.detach()) - float(played.log_probabilities[slot])
                terms.append(np.exp(distance) - 1.0 - distance)
                ratio = np.exp(distance)
                beyond += (ratio > 1.2 and advantages[slot] > 0) or (ratio < 0.8 and advantages[slot] < 0)
    training = Training(game.config, game.spec, game.policies, {0: game.version})
    report = training.apply([training.sums(played) for played in batch])
    assert report.kl == pytest.approx(np.mean(terms), rel=1e-3)
    assert report.surrogate_clipped == pytest.approx(beyond / len(terms), abs=1.5 / len(terms))


def test_a_gradient_that_is_no_number_in_a_later_pass_undoes_the_whole_update(script: Script) -> None:
    game = game_of(script, update={"passes": 3})
    training = trained(game, 1)
    sums = [training.sums(played) for played in batch_of(game, 1, training.current)]
    (spoiled,) = sums[2].policies
    (material,) = spoiled.material
    poison = replace(material, advantage=material.advantage * np.nan)
    worse = list(sums)
    worse[2] = replace(sums[2], policies=[replace(spoiled, material=(poison,))])
    before = training.optimiser_state
    with pytest.raises(GradientFault, match=r"the gradient of task \(1, 2\) is not finite; the step was not taken"):
        training.apply(worse)
    assert training.update == 1 and list(training.versions) == [1]
    for name, value in training.optimiser_state.items():
        np.testing.assert_array_equal(before[name], value)
    training.apply(sums)
    assert training.current.data == trained(game, 2).current.data, "and it could go on as if nothing had been"


@pytest.mark.parametrize("baseline", ["none", "leave_one_out", "value"])
def test_rewards_in_any_unit_are_learned_from_alike(script: Script, baseline: str) -> None:
    """Thousands or thousandths: what a policy becomes in its first updates is the same but for rounding."""
    found = []
    for unit in (1e-3, 1.0, 1e3):
        sections = {"reward": {"individual": 0.5 * unit, "team": 0.5 * unit}, "loss": {"baseline": baseline}}
        game = game_of(script, update={"passes": 2}, **sections)
        found.append(flat(trained(game, 3).current, game))
    np.testing.assert_allclose(found[0], found[1], atol=2e-4)
    np.testing.assert_allclose(found[2], found[1], atol=2e-4)
