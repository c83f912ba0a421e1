"""A large task is differentiated in blocks of rows: what is learned is the same, and memory does not grow with the
task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.policy.trunk import Seen, trunk
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient import blocks as division
from chorus.learner.gradient import convolution, reinforce
from chorus.learner.gradient.blocks import BLOCK_BYTES, block_bytes, blocks, step_bytes
from chorus.learner.gradient.convolution import pictures_at_once
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.network import Network
from chorus.learner.gradient.running_statistics import Statistics
from chorus.learner.gradient.trunk import Trunk
from chorus.learner.update.training import Training
from tests.playground import Game, settings, training_task, write_script


@given(steps=st.integers(1, 3000), rows=st.integers(1, 500), each=st.integers(1, 1 << 20))
def test_blocks_are_all_rows_in_their_order_and_as_large_as_they_may_be(steps: int, rows: int, each: int) -> None:
    found = blocks(steps, rows, each)
    assert [row for block in found for row in range(rows)[block]] == list(range(rows))
    sizes = [len(range(rows)[block]) for block in found]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) == 1 or max(sizes) * steps * each <= BLOCK_BYTES
    assert len(found) == 1 or ceil(rows / (len(found) - 1)) * steps * each > BLOCK_BYTES, "fewer would not do"


def sums_of(game: Game, **given: Any) -> list[reinforce.PolicySums]:
    tensors = game.version.tensors()
    networks = [Network.load(spec, game.config, tensors, torch.device("cpu")) for spec in game.policies]
    statistics = [Statistics.read(spec, game.config, tensors) for spec in game.policies]
    return reinforce.task_sums(game.play(), networks, statistics, game.spec, game.config, **given)


def game_of(config: dict[str, Any], **shape: Any) -> Game:
    """A game with deaths, rebirths, absences and unequal lengths."""
    return Game.of(write_script(**({"seed": 3, "time": 6, "episodes": 5, "agents": 3} | shape)), settings(**config))


LOSSES: list[dict[str, Any]] = [
    {},
    {"loss": {"baseline": "value"}, "value": {"network": "own", "sees": "team"}, "sharing": {"mode": "none"}},
    {"loss": {"baseline": "value", "reduction": "agent_mean"}, "value": {"network": "head"}},
    {"network": {"encoder": 6, "lstm": 5, "memory": "gru", "normalise_observations": True}},
]


@pytest.mark.parametrize("config", LOSSES, ids=["leave one out", "team", "agent_mean", "gru"])
def test_a_task_in_blocks_of_one_row_has_the_gradient_and_the_figures_that_it_has_as_a_whole(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = game_of(config)
    played = [game.play()]
    whole, figures = game.gradients(played), sums_of(game)
    monkeypatch.setattr(division, "BLOCK_BYTES", 1)
    for block, task in zip(game.gradients(played), whole, strict=True):
        np.testing.assert_allclose(block, task, rtol=1e-9, atol=1e-12)
    for mine, theirs in zip(sums_of(game), figures, strict=True):
        assert mine.step.steps == theirs.step.steps and mine.step.lives == theirs.step.lives
        assert mine.step.loss == pytest.approx(theirs.step.loss, rel=1e-4, abs=1e-4)
        assert mine.step.entropy == pytest.approx(theirs.step.entropy, rel=1e-5)
        assert mine.statistics.steps == theirs.statistics.steps
        np.testing.assert_array_equal(mine.statistics.reward, theirs.statistics.reward)
        np.testing.assert_allclose(mine.statistics.credit, theirs.statistics.credit, rtol=1e-6)
        np.testing.assert_allclose(mine.returns, theirs.returns, rtol=1e-6)
        np.testing.assert_allclose(mine.residual, theirs.residual, rtol=1e-4, atol=1e-4)
        seen = [part.statistics.observation for part in (mine, theirs)]
        if seen[0] is not None and seen[1] is not None:
            np.testing.assert_allclose(seen[0], seen[1], rtol=1e-6)
        assert (seen[0] is None) == (seen[1] is None)


GENTLE: dict[str, Any] = {"name": "sgd", "learning_rate": 0.01, "clip": None}


def test_later_passes_over_a_batch_in_blocks_learn_what_they_learn_from_it_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game = game_of({"update": {"tasks": 2, "passes": 3}, "loss": {"baseline": "value"}, "optimiser": GENTLE})
    batch = [game.play(training_task(0, index)) for index in range(2)]

    def flat() -> np.ndarray:
        training = Training(game.config, game.spec, game.policies, {0: game.version})
        report = training.apply([training.sums(played) for played in batch])
        assert report.passes == 3
        return np.concatenate([value.ravel() for _, value in sorted(training.current.tensors().items())])

    whole = flat()
    monkeypatch.setattr(division, "BLOCK_BYTES", 1)
    np.testing.assert_allclose(flat(), whole, atol=2e-5)


@pytest.mark.parametrize("reduction", ["mean", "agent_mean"])
def test_bits_are_equal_for_any_limit_of_memory_and_any_number_of_threads(
    reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several blocks a task, lives of unlike lengths, two updates of two passes each."""
    found = set()
    for memory, workers in ((None, 1), (None, 3), (1, 3), (2, 8)):
        config = {"update": {"tasks": 3, "passes": 2}, "loss": {"baseline": "value", "reduction": reduction}}
        game = game_of(config | {"learner": {"memory": memory}})
        whole = block_bytes(game.policies, game.config, 6)
        monkeypatch.setattr(division, "BLOCK_BYTES", whole // 4)
        assert len(blocks(6, 15, step_bytes(game.policies[0], game.config))) >= 4
        training = Training(game.config, game.spec, game.policies, {0: game.version})
        with ThreadPoolExecutor(training.side_by_side(workers)) as threads:
            for update in range(2):
                batch = [game.play(training_task(update, index)) for index in range(3)]
                training.apply(list(threads.map(training.sums, batch)), threads.map)
        found.add(training.current.sha256)
        monkeypatch.setattr(division, "BLOCK_BYTES", BLOCK_BYTES)
    assert len(found) == 1


def held_bytes(game: Game) -> int:
    """The most bytes that a backward pass had waiting for it while a task was differentiated, weights among them."""
    held: dict[int, list[int]] = {}  # by where a tensor's memory lies: its size, and how many hold it
    most = 0

    class Held:
        """One tensor, until torch needs it no more."""

        def __init__(self, tensor: torch.Tensor) -> None:
            nonlocal most
            storage = tensor.untyped_storage()
            self.tensor, self.at = tensor, storage.data_ptr()
            held.setdefault(self.at, [storage.nbytes(), 0])[1] += 1
            most = max(most, sum(size for size, _ in held.values()))

        def __del__(self) -> None:
            held[self.at][1] -= 1
            if not held[self.at][1]:
                del held[self.at]

    with torch.autograd.graph.saved_tensors_hooks(Held, lambda kept: kept.tensor):
        sums_of(game)
    return most


@pytest.mark.parametrize("dies", [0.0, 0.15], ids=["lives of one length", "lives of unlike lengths"])
@pytest.mark.parametrize("memory", ["lstm", "gru"])
def test_what_is_held_for_the_backward_pass_does_not_grow_with_the_task(
    memory: str, dies: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    chances = {} if dies else {"dies": 0.0, "cut": 0.0, "born": 1.0, "away": 0.0}
    config = {"network": {"encoder": 16, "lstm": 16, "memory": memory}, "loss": {"baseline": "value"}}
    game = game_of(config, time=20, agents=4, episodes=16, **chances)
    weight = sum(value.nbytes for value in game.version.tensors().values())
    whole = held_bytes(game)
    monkeypatch.setattr(division, "BLOCK_BYTES", block_bytes(game.policies, game.config, 20) // 8)
    assert held_bytes(game) - weight < (whole - weight) / 4
    assert held_bytes(game) < division.BLOCK_BYTES + weight, "a block takes no more than is reckoned"


def test_fewer_threads_differentiate_at_once_where_their_blocks_would_take_more_than_the_setting() -> None:
    def at_once(memory: int | None, lstm: int = 256) -> int:
        game = game_of({"network": {"lstm": lstm}, "learner": {"memory": memory}}, time=600, episodes=16, agents=4)
        return Training(game.config, game.spec, game.policies, {0: game.version}).side_by_side(8)

    assert at_once(None) == 8
    assert at_once(1) == 1, "one always works"
    assert at_once(300) == 2
    assert at_once(1000, lstm=5) == 8, "small blocks have room beside one another"


def test_a_block_is_reckoned_by_what_the_networks_are_and_see() -> None:
    plain, wide = (game_of({"network": {"lstm": width}}) for width in (5, 50))
    assert step_bytes(wide.policies[0], wide.config) > 5 * step_bytes(plain.policies[0], plain.config)
    team = game_of({"loss": {"baseline": "value"}, "value": {"network": "own", "sees": "team"}})
    own = game_of({"loss": {"baseline": "value"}, "value": {"network": "own", "sees": "own"}})
    assert step_bytes(team.policies[0], team.config) > step_bytes(own.policies[0], own.config)
    assert block_bytes(plain.policies, plain.config, 6) == 6 * 5 * 3 * step_bytes(plain.policies[0], plain.config)


def test_many_pictures_are_differentiated_a_few_at_a_time_with_the_same_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, network = Seen((9, 8, 3), 2), NetworkConfig(channels=(4, 6), encoder=7, lstm=5)
    draws = np.random.default_rng(0)
    own = {
        name: torch.from_numpy(draws.normal(size=drawn.shape)).requires_grad_()
        for name, drawn in trunk(seen, network, "").items()
    }
    inputs = torch.from_numpy(draws.normal(size=(20 * 3, seen.size)))
    lives = Lives(None, np.full(20, 3), np.full(3, 20))

    def gradient() -> tuple[list[torch.Tensor], int]:
        held: list[int] = []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            held.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            found = Trunk(own, seen, network).outputs(inputs, lives).square().sum()
        return list(torch.autograd.grad(found, list(own.values()))), sum(held)

    whole, held = gradient()
    made = pictures_at_once(seen, network)
    assert made is not None and made > 60, "so few small ones are taken together"
    monkeypatch.setattr(convolution, "PICTURES_BYTES", convolution.PICTURES_BYTES * 7 // made)
    assert 5 <= (pictures_at_once(seen, network) or 0) <= 8
    parts, held_of_few = gradient()
    for mine, theirs in zip(parts, whole, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    shown = inputs.numel()
    assert held_of_few - shown < (held - shown) / 2, "but for what the networks are shown"
