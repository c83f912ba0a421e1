"""Gradients of every network that the settings can name are slopes; the orthogonal beginning is orthogonal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.errors import ConfigError
from chorus.common.policy.layout import layout
from chorus.common.policy.sharing import divide
from chorus.common.policy.trunk import Draw
from chorus.common.settings import config as configuration
from chorus.learner.gradient.initialisation import orthogonal
from chorus.learner.gradient.lives import pack
from chorus.learner.gradient.network import Network, initialise
from tests.networks import Case, cases, presence
from tests.playground import doubled, tensors_for
from tests.playground import settings as configured
from tests.worlds import Gallery

STEP = 1e-6


@settings(max_examples=80, deadline=None)
@given(case=cases(), seed=st.integers(0, 2**32))
def test_the_gradient_is_the_slope_of_the_loss(case: Case, seed: int) -> None:
    """Along random directions through all parameters, in float64, over lives of unlike lengths."""
    draws = np.random.Generator(np.random.Philox(key=seed))
    present, born = presence(draws, 5, 3)
    lives = pack(present, np.concatenate([born[1:], np.zeros((1, 3), np.bool_)]))
    tensors = doubled(tensors_for([case.spec], case.config, scale=1.5))
    network = Network.load(case.spec, case.config, tensors, torch.device("cpu"))
    network = network.with_flat(  # off the corners that biases of zero sit on
        network.flat.detach() + 0.1 * torch.from_numpy(draws.normal(size=len(network.flat)))
    )
    inputs = torch.from_numpy(draws.normal(size=(lives.count, case.spec.input_size)))
    weight = torch.from_numpy(draws.normal(size=(lives.count, case.spec.output_size)))

    def loss(flat: torch.Tensor) -> torch.Tensor:
        found = network.with_flat(flat).forward(inputs, lives)
        total = (found.policy * weight).sum()
        return total if found.value is None else total + (found.value * weight[:, 0]).sum()

    changed = network.with_flat(network.flat.detach().clone())
    found = changed.forward(inputs, lives)
    total = (found.policy * weight).sum() + (0.0 if found.value is None else (found.value * weight[:, 0]).sum())
    gradient = changed.gradient(total)
    with torch.no_grad():
        for _ in range(3):
            way = torch.from_numpy(draws.normal(size=len(network.flat)))
            flat = network.flat.detach()
            slopes = [
                float((loss(flat + step * way) - loss(flat - step * way)) / (2.0 * step)) for step in (STEP, STEP / 4)
            ]
            exact = float(gradient @ way)
            if abs(slopes[0] - slopes[1]) < 1e-5 * max(1.0, abs(exact)):  # else a corner of a rectifier lies between
                assert slopes[0] == pytest.approx(exact, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(("shape", "blocks"), [((5, 3), 1), ((3, 5), 1), ((4, 4), 1), ((12, 4), 3), ((8, 5), 4)])
def test_an_orthogonal_matrix_is_one_in_every_block(shape: tuple[int, int], blocks: int) -> None:
    matrix = orthogonal(Draw(shape, gain=2.0, blocks=blocks), np.random.default_rng(0))
    assert matrix.shape == shape
    for block in np.split(matrix, blocks):
        product = block @ block.T if len(block) <= block.shape[1] else block.T @ block
        np.testing.assert_allclose(product, 4.0 * np.eye(len(product)), atol=1e-12)


def test_an_orthogonal_policy_begins_near_chance_with_no_bias() -> None:
    world = Gallery((4,), choices=(5,))
    config = configured(network={"initialisation": "orthogonal", "layers": 2, "memory": "gru"})
    (spec,) = divide(world.spec, config.sharing, config.network)
    tensors = initialise(spec, 0, config, seed=3)
    assert np.linalg.norm(tensors["all/head.weight"], axis=1) == pytest.approx(0.01)
    assert not any(value.any() for name, value in tensors.items() if "bias" in name)


def test_a_width_and_a_list_of_one_width_are_the_same_network() -> None:
    world = Gallery((4,), choices=(5,))
    found = []
    for encoder in (6, [6]):
        config = configured(network={"encoder": encoder})
        (spec,) = divide(world.spec, config.sharing, config.network)
        found.append((list(layout(spec, config)), initialise(spec, 0, config, 0)))
    assert found[0][0] == found[1][0]
    assert all((found[0][1][name] == found[1][1][name]).all() for name in found[0][1])


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        ({"kernel": [3]}, "network.kernel lists 1 convolutions, but network.channels 2"),
        ({"stride": [1, 2, 3]}, "network.stride lists 3 convolutions"),
        ({"attention": 6, "heads": 4}, "network.heads is 4 and must divide network.attention, 6"),
        ({"encoder": [8, 0]}, "network.encoder"),
        ({"memory": "transformer"}, "network.memory"),
    ],
)
def test_an_impossible_network_is_refused_by_name(network: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("[", r"\[")):
        configuration.check({"network": network})


def test_attention_over_what_is_no_set_is_refused() -> None:
    config = configured(network={"attention": 8})
    with pytest.raises(ConfigError, match=r"network.attention is 8.*\[4\]; set it to 0"):
        divide(Gallery((4,), choices=(5,)).spec, config.sharing, config.network)
