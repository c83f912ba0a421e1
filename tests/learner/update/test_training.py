"""From one version to the next: the same whatever the order of arrival, and not at all if the gradient is no number."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chorus.common.errors import ConfigError, GradientFault
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.settings.config import Config
from chorus.common.tasks import room
from chorus.common.tasks.joining import Joining
from chorus.common.tasks.parts import divide
from chorus.common.tasks.room import Room
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.running_statistics import ADVANTAGE_MEMORY
from chorus.learner.update.training import TaskSums, Training, check_fit, first_version
from tests import reference
from tests.playground import Game, Script, training_task, write_script
from tests.playground import settings as configured

TASKS = 4


@pytest.fixture
def script() -> Script:
    """Deaths, rebirths, absences and unequal lengths."""
    return write_script(seed=5, time=7, episodes=4, agents=3)


def game_of(script: Script, **sections: Any) -> Game:
    """The script played by version 0 of a run."""
    game = Game.of(script, configured(**{"update": {"tasks": TASKS}, **sections}))
    return replace(game, version=first_version(game.config, game.policies))


def training_of(game: Game) -> Training:
    """At its beginning."""
    return Training(game.config, game.spec, game.policies, {0: game.version})


def batch_of(game: Game, update: int, version: PolicyVersion) -> list[Trajectory]:
    """A whole batch."""
    return [replace(game, version=version).play(training_task(update, index)) for index in range(TASKS)]


def trained(game: Game, training: Training, updates: int) -> Training:
    """After so many updates."""
    for _ in range(updates):
        batch = batch_of(game, training.update, training.version_for(training.update))
        training.apply([training.sums(played) for played in batch])
    return training


KINDS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "a policy each": {"sharing": {"mode": "none"}},
    "off-policy": {"lag": 2},
    "with a value": {"loss": {"baseline": "value"}, "value": {"slow": 0.1, "network": "own"}},
    "normalised": {"network": {"normalise_observations": True}, "reward": {"scale": "deviation"}},
    "by rmsprop": {"optimiser": {"name": "rmsprop", "momentum": 0.5}},
    "agent after agent": {"loss": {"reduction": "sequential"}, "optimiser": {"name": "sgd", "momentum": 0.9}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_neither_the_order_of_arrival_nor_the_number_of_threads_changes_a_bit(script: Script, kind: str) -> None:
    game = game_of(script, **KINDS[kind])
    seen = set()
    for order in list(permutations(range(TASKS)))[::7]:
        training = trained(game, training_of(game), 1)
        batch = batch_of(game, 1, training.version_for(1))
        sums: dict[int, TaskSums] = {}
        for index in order:
            sums[index] = training.sums(batch[index])
        training.apply([sums[index] for index in range(TASKS)])
        seen.add(training.current.data)
    training = trained(game, training_of(game), 1)
    batch = batch_of(game, 1, training.version_for(1))
    with ThreadPoolExecutor(3) as threads:
        training.apply(list(threads.map(training.sums, batch)))
    seen.add(training.current.data)
    assert len(seen) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_trajectories_in_files_give_the_same_weights(
    script: Script, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LARGE_BESIDE_A_FOLDER", 16)
    game = game_of(script, **KINDS[kind])

    def after_two(folder: Path | None) -> str:
        training = training_of(game)
        for update in range(2):
            batch = []
            for played in batch_of(game, update, training.version_for(update)):
                joining = Joining(game.spec, game.config.episodes, game.config.episodes, room=Room(folder))
                (whole,) = filter(None, map(joining.add, divide(played, None, 500)))
                batch.append(whole)
            training.apply([training.sums(whole) for whole in batch])
        return training.current.sha256.hex()

    assert after_two(tmp_path) == after_two(None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_taken_up_again_ends_as_if_it_had_not_stopped(script: Script, kind: str) -> None:
    game = game_of(script, **KINDS[kind])
    whole = trained(game, training_of(game), 5)
    half = trained(game, training_of(game), 3)
    stored = {name: value.copy() for name, value in half.optimiser_state.items()}
    versions = {number: PolicyVersion(number, bytes(kept.data), kept.sha256) for number, kept in half.versions.items()}
    resumed = Training(game.config, game.spec, game.policies, versions, 3, stored)
    assert trained(game, resumed, 2).current.data == whole.current.data
    for name, value in whole.optimiser_state.items():
        np.testing.assert_array_equal(resumed.optimiser_state[name], value)


def test_without_the_optimisers_state_it_would_not(script: Script) -> None:
    """What the test above would see if a checkpoint forgot it."""
    game = game_of(script)
    whole = trained(game, training_of(game), 5)
    half = trained(game, training_of(game), 3)
    resumed = Training(game.config, game.spec, game.policies, half.versions, 3)
    assert trained(game, resumed, 2).current.data != whole.current.data


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["as it comes", "a policy each", "with a value"])
def test_a_gradient_that_is_no_number_is_refused_and_nothing_is_changed(
    script: Script, kind: str, poison: float
) -> None:
    game = game_of(script, **KINDS[kind])
    training = trained(game, training_of(game), 2)
    sums = [training.sums(played) for played in batch_of(game, 2, training.current)]
    spoiled = sums[2].policies[-1]
    assert spoiled.step.gradient is not None
    bad = spoiled.step.gradient.clone()
    bad[5] = poison
    worse = list(sums)
    worst = replace(spoiled, step=replace(spoiled.step, gradient=bad))
    worse[2] = replace(sums[2], policies=[*sums[2].policies[:-1], worst])
    before = training.current, dict(training.versions), training.update
    state = {name: value.copy() for name, value in training.optimiser_state.items()}
    with pytest.raises(GradientFault, match=r"the gradient of task \(2, 2\) is not finite; the step was not taken"):
        training.apply(worse)
    assert (training.current, training.versions, training.update) == before
    for name, value in state.items():
        np.testing.assert_array_equal(training.optimiser_state[name], value)
    untouched = trained(game, training_of(game), 2)
    untouched.apply(sums)
    training.apply(sums)
    assert training.current.data == untouched.current.data, "and it could go on"


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_versions_that_nobody_will_ask_for_are_forgotten(script: Script, lag: int) -> None:
    game = game_of(script, lag=lag)
    training = training_of(game)
    for update in range(6):
        assert training.version_for(update).version == max(0, update - lag)
        trained(game, training, 1)
        assert sorted(training.versions) == list(range(max(0, update + 1 - lag), update + 2))


def test_the_weights_move_by_the_clipped_gradient(script: Script) -> None:
    """One step of plain SGD, from the slow gradient in float64."""
    game = game_of(script, optimiser={"name": "sgd", "learning_rate": 0.5, "clip": 0.01})
    batch = batch_of(game, 0, game.version)
    spec = game.policies[0]
    scale = sum(squares(played, game) for played in batch) ** 0.5 / sum(played.agent_steps for played in batch) ** 0.5
    (slow,) = reference.gradients(batch, game.version.tensors(), game.policies, game.spec, game.config, scale)
    before = flat(game.version, spec, game.config)
    training = training_of(game)
    report = training.apply([training.sums(played) for played in batch])
    norm = float(np.linalg.norm(slow))
    assert norm > 0.01 and report.gradient_norm == pytest.approx(norm, rel=1e-4) and report.clipped == 1.0
    moved = flat(training.current, spec, game.config) - before
    np.testing.assert_allclose(moved, -0.5 * slow * (0.01 / norm), atol=1e-7)


def test_updates_by_adam_with_normalised_advantages_are_what_torch_makes_of_the_slow_gradients(script: Script) -> None:
    game = game_of(script)
    spec, training = game.policies[0], training_of(game)
    slow = torch.from_numpy(flat(game.version, spec, game.config)).requires_grad_()
    adam = torch.optim.Adam([slow], lr=2e-3)
    means: list[float] = []
    for update in range(4):
        batch = batch_of(game, update, training.current)
        mean_square = sum(squares(played, game) for played in batch) / sum(played.agent_steps for played in batch)
        known = means or [mean_square]  # the first batch is measured before it is learned from
        weights = [ADVANTAGE_MEMORY**age for age in reversed(range(len(known)))]
        scale = (sum(w * square for w, square in zip(weights, known, strict=True)) / sum(weights)) ** 0.5
        version = training.current.tensors()
        (found,) = reference.gradients(batch, version, game.policies, game.spec, game.config, scale)
        slow.grad = torch.from_numpy(found)
        torch.nn.utils.clip_grad_norm_([slow], 1.0)
        adam.step()
        means.append(mean_square)
        training.apply([training.sums(played) for played in batch])
        np.testing.assert_allclose(flat(training.current, spec, game.config), slow.detach().numpy(), atol=2e-5)


def squares(played: Trajectory, game: Game) -> float:
    """The sum of a task's squared advantages by leave-one-out, in the environment's own units."""
    returns = reference.credit(played, game.spec, game.config)
    return float(np.square((returns - reference.baseline(returns, range(3), "agent"))[played.acted]).sum())


def flat(version: PolicyVersion, spec: PolicySpec, config: Config) -> np.ndarray:
    """A policy's weights as one vector."""
    own = Network.load(spec, config, version.tensors(), torch.device("cpu"))
    return own.flat.detach().numpy().astype(np.float64)


def test_policies_are_clipped_each_by_itself(script: Script) -> None:
    raw = {"normalise_advantages": False}
    game = game_of(script, sharing={"mode": "none"}, loss=raw, optimiser={"name": "sgd", "clip": None})
    training = training_of(game)
    sums = [training.sums(played) for played in batch_of(game, 0, game.version)]
    plain = training.apply(sums)
    slow = reference.gradients(
        batch_of(game, 0, game.version), game.version.tensors(), game.policies, game.spec, game.config
    )
    norms = sorted(float(np.linalg.norm(part)) for part in slow)
    assert plain.gradient_norm == pytest.approx(sum(norm**2 for norm in norms) ** 0.5, rel=1e-4)
    between = (norms[0] + norms[1]) / 2.0
    strict = game_of(script, sharing={"mode": "none"}, loss=raw, optimiser={"name": "sgd", "clip": between})
    clipping = training_of(strict)
    report = clipping.apply([clipping.sums(played) for played in batch_of(strict, 0, strict.version)])
    assert report.clipped == pytest.approx(2 / 3) and plain.clipped == 0.0


def test_agent_after_agent_steps_by_each_ones_own_mean_on_the_weights_that_the_last_one_left(script: Script) -> None:
    loss = {"reduction": "sequential", "normalise_advantages": False}
    game = game_of(script, loss=loss, optimiser={"name": "sgd", "clip": None})
    rate = float(configured().optimiser.learning_rate)  # type: ignore[arg-type]
    batch = batch_of(game, 0, game.version)
    shared = game.policies[0]
    tensors = game.version.tensors()
    averaged = Game.of(script, configured(update={"tasks": TASKS}, loss={"normalise_advantages": False})).config
    weights = flat(game.version, shared, game.config)
    for agent in range(script.agents):
        alone = replace(shared, agents=(agent,))
        (slow,) = reference.gradients(batch, tensors, [alone], game.spec, averaged)
        weights = weights - rate * slow
        network = Network.load(shared, game.config, tensors, torch.device("cpu"))
        network.flat.detach().copy_(torch.from_numpy(weights))
        tensors = tensors | network.tensors()
    training = training_of(game)
    training.apply([training.sums(played) for played in batch])
    np.testing.assert_allclose(flat(training.current, shared, game.config), weights, atol=1e-6)


def test_the_learning_rate_follows_its_schedule_and_rises_at_first(script: Script) -> None:
    schedule = {"kind": "linear", "start": 0.1, "end": 0.0, "over": 10}
    game = game_of(script, optimiser={"learning_rate": schedule, "warm_up": 3})
    training = training_of(game)
    rates = []
    for _ in range(6):
        batch = batch_of(game, training.update, training.current)
        rates.append(training.apply([training.sums(played) for played in batch]).learning_rate)
    assert rates == pytest.approx([0.1 / 4, 0.09 * 2 / 4, 0.08 * 3 / 4, 0.07, 0.06, 0.05])


def test_the_slow_copy_goes_its_share_of_the_way_at_each_update(script: Script) -> None:
    game = game_of(script, **KINDS["with a value"])
    training = training_of(game)
    spec = game.policies[0]
    expected = flat(game.version, spec, game.config)
    for _ in range(3):
        trained(game, training, 1)
        expected = 0.9 * expected + 0.1 * flat(training.current, spec, game.config)
        np.testing.assert_allclose(training.optimiser_state["all/slow"], expected, atol=1e-6)


def test_the_report_says_what_happened(script: Script) -> None:
    game = game_of(script, reward={"individual": 0.25, "team": 2.0})
    training = training_of(game)
    batch = batch_of(game, 0, game.version)
    sums = [training.sums(played) for played in batch]
    report = training.apply(sums)
    own = float(script.rewards[script.alive].astype(np.float64).sum()) / script.episodes
    team = 3 * float(script.team_rewards[script.running].astype(np.float64).sum()) / script.episodes
    assert report.individual_return == pytest.approx(own) and report.team_return == pytest.approx(team)
    assert report.mixed_return == pytest.approx(0.25 * own + 2.0 * team)
    assert (report.update, report.version, report.collected_by) == (0, 1, 0)
    assert report.totals.agent_steps == TASKS * script.present.sum()
    assert report.totals.env_steps == TASKS * script.lengths.sum()
    spec = game.policies[0]
    weights = reference.parameters_of(game.version.tensors(), spec, game.config)
    entropies = [
        float(spread.detach())
        for played in batch
        for life in reference.lives_of(played)
        for _, spread in reference.judge(spec, weights, played, life)
    ]
    assert report.entropy == pytest.approx(sum(entropies) / len(entropies), rel=1e-5)
    assert report.ratio_mean == report.ratio_max == 1.0 and report.disagreement < 1e-5
    assert np.isfinite(report.signal_to_noise)
    returns = [reference.credit(played, game.spec, game.config) for played in batch]
    left = [given - reference.baseline(given, range(3), "agent") for given in returns]
    within = np.zeros(2)
    for step in range(script.time):
        for place, values in enumerate((returns, left)):
            mine = np.concatenate(
                [given[step][played.acted[step]] for given, played in zip(values, batch, strict=True)]
            )
            within[place] += float(np.square(mine - mine.mean()).sum()) if len(mine) else 0.0
    assert report.explained_variance == pytest.approx(1.0 - within[1] / within[0], rel=1e-6)
    assert (report.passes, report.kl, report.surrogate_clipped) == (1.0, 0.0, 0.0)


# -- the first version


def test_fresh_weights_depend_on_the_seed_and_on_nothing_else(script: Script) -> None:
    game, again, other = game_of(script), game_of(script, updates=7), game_of(script, seed=1)
    assert game.version.data == again.version.data != other.version.data
    lone = game_of(script, sharing={"mode": "none"}).version.tensors()
    assert not np.array_equal(lone["agent_0/encoder.weight"], lone["agent_1/encoder.weight"])
    for name, value in game.version.tensors().items():
        if name.endswith("encoder.weight"):
            bound = 1.0 / np.sqrt(value.shape[1])
            assert np.abs(value).max() <= bound and np.abs(value).max() > 0.8 * bound


def test_the_weights_of_another_run_are_taken_as_they_are(script: Script) -> None:
    game = game_of(script)
    trained_on = trained(game, training_of(game), 2).current
    assert first_version(game.config, game.policies, trained_on.tensors()).data == make(0, trained_on.tensors()).data


def test_weights_that_do_not_fit_are_refused_by_the_name_of_the_first(script: Script) -> None:
    game = game_of(script)
    tensors = game.version.tensors()
    head = tensors["all/head.weight"]
    for spoiled, message in (
        ({name: value for name, value in tensors.items() if name != "all/head.bias"}, "all/head.bias is missing"),
        (tensors | {"all/head.weight": head[:-1]}, r"all/head.weight is float32 \[2, 5\], .* needs float32 \[3, 5\]"),
        (tensors | {"all/head.weight": head.astype(np.float64)}, r"all/head.weight is float64 \[3, 5\]"),
        (tensors | {"all/zebra": head}, r"all/zebra is float32 \[3, 5\], the configuration needs none"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_fit(game.policies, game.config, spoiled)
        with pytest.raises(ConfigError, match=message):
            Training(game.config, game.spec, game.policies, {0: make(0, spoiled)})


def test_a_device_that_is_not_there_is_refused(script: Script) -> None:
    game = game_of(script)
    count = torch.cuda.device_count()
    config = configured(device=f"cuda:{count}")
    with pytest.raises(ConfigError, match=f"torch sees {count} CUDA devices here; use cpu"):
        Training(config, game.spec, game.policies, {0: game.version})
