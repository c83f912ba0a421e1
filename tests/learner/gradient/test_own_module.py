"""A network of the user's own: the same in torch and in ONNX at every step, and refused by name where it cannot be."""

from __future__ import annotations

import threading
from functools import partial
from importlib.resources import files

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import divide
from chorus.common.policy.trunk import STRUCTURE, Seen
from chorus.common.process import onnx
from chorus.common.settings import config as configuration
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient import own_module
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.network import Network, initialise
from chorus.learner.gradient.running_statistics import Statistics
from tests.playground import Game, Script, batch_gradients, doubled, scripts, tensors_for, write_script
from tests.worlds import Gallery

LIMIT = 1e-5
MODULES = ("tests.modules:remembering", "tests.modules:forgetting")


@settings(max_examples=25, deadline=None)
@given(
    script=scripts(time=st.integers(1, 12), episodes=st.integers(2, 6), agents=st.integers(1, 4)),
    sharing=st.sampled_from(["all", "all_with_id", "none"]),
    module=st.sampled_from(MODULES),
    value=st.sampled_from(["head", "own"]),
    normalised=st.booleans(),
)
def test_actors_and_learner_agree(script: Script, sharing: str, module: str, value: str, normalised: bool) -> None:
    network = {"module": module, "lstm": 6, "normalise_observations": normalised}
    config = configuration.check(
        {"sharing": {"mode": sharing}, "network": network, "loss": {"baseline": "value"}, "value": {"network": value}}
    )
    game = Game.of(script, config)
    tensors = game.version.tensors()
    networks = [Network.load(spec, game.config, tensors, torch.device("cpu")) for spec in game.policies]
    statistics = [Statistics.read(spec, game.config, tensors) for spec in game.policies]
    sums = gradient.task_sums(game.play(), networks, statistics, game.spec, game.config)
    assert max(part.step.disagreement for part in sums) <= LIMIT


@pytest.mark.parametrize("module", MODULES)
def test_the_gradient_is_the_slope_of_the_loss(module: str) -> None:
    config = configuration.check({"network": {"module": module, "lstm": 4}, "loss": {"baseline": "none"}})
    game = Game.of(write_script(seed=4, time=6, episodes=3, agents=2), config)
    played, tensors = game.play(), game.version.tensors()
    (exact,) = batch_gradients([played], tensors, game.policies, game.spec, game.config)
    (spec,) = game.policies
    network = Network.load(spec, game.config, doubled(tensors), torch.device("cpu"))
    statistics = [Statistics.read(spec, game.config, tensors)]

    def loss(flat: torch.Tensor) -> float:
        moved = network.with_flat(flat)
        (sums,) = gradient.task_sums(played, [moved], statistics, game.spec, game.config)
        return sums.step.loss / sums.step.steps

    draws, start = np.random.default_rng(0), network.flat.detach()
    for _ in range(5):
        way = torch.from_numpy(draws.normal(size=len(start)))
        slope = (loss(start + 1e-6 * way) - loss(start - 1e-6 * way)) / 2e-6
        assert slope == pytest.approx(float(exact @ way.numpy()), rel=1e-4, abs=1e-6)


def test_many_threads_may_differentiate_at_once() -> None:
    """While a module is called its parameters are exchanged: every thread has one of its own."""
    config = configuration.check({"network": {"module": MODULES[0], "lstm": 4}})
    script = write_script(seed=4, time=20, episodes=4, agents=2)
    games = [Game.of(script, config, weights=partial(tensors_for, seed=seed)) for seed in range(4)]
    played = [game.play() for game in games]

    def differentiate(number: int) -> None:
        found[number] = batch_gradients(
            [played[number]],
            games[number].version.tensors(),
            games[number].policies,
            games[number].spec,
            games[number].config,
        )[0]

    alone, found = {}, dict[int, np.ndarray]()
    for number in range(4):
        differentiate(number)
        alone[number] = found.pop(number)
    for _ in range(3):
        threads = [threading.Thread(target=differentiate, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(4):
            np.testing.assert_array_equal(found.pop(number), alone[number])


def test_it_begins_as_the_module_does_by_the_runs_seed() -> None:
    world = Gallery((4,), choices=(5,))
    config = configuration.check({"network": {"module": MODULES[0], "lstm": 5}})
    (spec,) = divide(world.spec, config.sharing, config.network)
    first, again, other = (initialise(spec, 0, config, seed) for seed in (1, 1, 2))
    name = "all/module.cell.weight_hh"
    assert first[name].shape == (15, 5)
    np.testing.assert_array_equal(first[name], again[name])
    assert (first[name] != other[name]).any()
    assert first[f"all/{STRUCTURE}"].dtype == np.uint8


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        ("tests.modules:buffered", r"it has buffers \(mean\)"),
        ("tests.modules:narrow", r"expected \[\(3, 5\), \(3, 0\)\]"),
        ("tests.modules:nothing", "it made a NoneType, not a torch.nn.Module"),
        ("tests.modules:missing", "has no attribute 'missing'; write package.module:factory"),
        ("no_such_package:module", "No module named 'no_such_package'; write package.module:factory"),
    ],
)
def test_a_module_that_breaks_the_rules_is_refused_by_name(module: str, complaint: str) -> None:
    world = Gallery((4,), choices=(5,))
    config = configuration.check({"network": {"module": module, "lstm": 5}})
    with pytest.raises(ConfigError, match=f"network.module {module}.*{complaint}"):
        own_module.name_module(config, divide(world.spec, config.sharing, config.network))


def test_what_it_stands_in_the_place_of_must_be_left_out() -> None:
    with pytest.raises(ConfigError, match=r"network\.module stands in the place of network\.memory"):
        configuration.check({"network": {"module": MODULES[0], "memory": "gru"}})


def test_the_fingerprints_probe_is_what_it_says_it_is() -> None:
    made = own_module.structure(Seen((18,)), NetworkConfig(module="tests.modules:probe"))
    assert made.tobytes() == (files("chorus.common.process") / onnx.PROBE).read_bytes()
