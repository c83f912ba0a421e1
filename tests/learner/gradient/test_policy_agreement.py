"""What the actor computes in NumPy and the learner in torch is the same policy: pictures, ids, masks, statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chorus.actor.convolution import convolve
from chorus.actor.rollout import Player
from chorus.common.policy.layout import layout
from chorus.common.policy.sharing import divide
from chorus.common.policy.trunk import convolution_sizes
from chorus.common.settings import config as configuration
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.update.training import Training, first_version
from tests.playground import settings, training_task
from tests.worlds import Gallery

PICTURE, BOARD = (7, 6, 3), (3, 3, 2)
BOUNDS = ((-1.0, 1.0), (0.0, 4.0))
LIMIT = 1e-5
"""How far the two may be apart, relative to max(1, |log-probability|)."""


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 6, 3), (1, 5, 2), (3, 3, 2)])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (1, 1), (4, 3), (5, 2)])
def test_a_convolution_is_the_sum_over_its_window(shape: tuple[int, int, int], size: int, stride: int) -> None:
    draws = np.random.default_rng(0)
    pictures = draws.normal(size=(2, *shape)).astype(np.float32)
    weight = draws.normal(size=(4, size * size * shape[2])).astype(np.float32)
    bias = draws.normal(size=4).astype(np.float32)
    found = convolve(pictures, weight, bias, size, stride, "relu")
    assert found.shape == (2, *convolution_sizes(shape, NetworkConfig(channels=(4,), kernel=size, stride=stride))[1])
    kernel = weight.reshape(4, size, size, shape[2]).astype(np.float64)
    for row, y, x, channel in np.ndindex(*found.shape):
        total = float(bias[channel])
        for dy, dx in np.ndindex(size, size):
            at_y, at_x = stride * y + dy - size // 2, stride * x + dx - size // 2
            if 0 <= at_y < shape[0] and 0 <= at_x < shape[1]:
                total += float(pictures[row, at_y, at_x].astype(np.float64) @ kernel[channel, dy, dx])
        assert found[row, y, x, channel] == pytest.approx(max(0.0, total), abs=1e-4)


SPACES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "numbers": ((4,), {"choices": (5,)}),
    "several components": ((4,), {"choices": (3, 2, 4)}),
    "continuous": ((4,), {"bounds": BOUNDS}),
    "pictures": (PICTURE, {"choices": (5,)}),
    "pictures and torques": (PICTURE, {"bounds": BOUNDS}),
    "boards": (BOARD, {"choices": (9,)}),
    "tables": ((5, 4), {"choices": (2,)}),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"sharing": {"mode": "all_with_id"}},
        {"sharing": {"mode": "groups", "groups": {"first": "agent_0", "rest": "*"}}},
        {"sharing": {"mode": "none"}},
        {"network": {"channels": [], "encoder": 6, "lstm": 5, "normalise_observations": True}},
        {"network": {"channels": [3], "encoder": 6, "memory": "none", "normalise_observations": True}},
        {"loss": {"baseline": "value"}, "value": {"network": "own"}, "reward": {"scale": "deviation"}},
    ],
    ids=lambda sections: " ".join(map(str, sections)) or "all",
)
def test_the_learner_computes_the_actors_log_probabilities(space: str, sections: dict[str, Any]) -> None:
    """At every update, while weights and statistics move far from where they began."""
    shape, done = SPACES[space]
    world = Gallery(shape, **done)
    plain = {"task": {"episodes": 3}, "update": {"tasks": 2}, "optimiser": {"learning_rate": 0.03}} | sections
    config = configuration.resolve(settings(**plain), world.spec)
    policies = divide(world.spec, config.sharing, config.network)
    training = Training(config, world.spec, policies, {0: first_version(config, policies)})
    player = Player(world, policies, config.seed)
    for update in range(4):
        tasks = [training_task(update, index) for index in range(config.tasks)]
        report = training.apply([training.sums(player.play(training.current, task, config.episodes)) for task in tasks])
        assert 0.0 <= report.disagreement <= LIMIT
        assert np.isfinite(report.gradient_norm) and report.gradient_norm > 0.0


@pytest.mark.parametrize(
    ("channels", "first", "width"), [([], "encoder.weight", 7 * 6 * 3), ([4], "convolution0.weight", 4 * 3 * 4)]
)
def test_no_channels_mean_that_pictures_are_flattened(channels: list[int], first: str, width: int) -> None:
    """Boards such as connect four's 6 x 7 x 2 are no pictures: without convolutions they are numbers like any other,
    and are normalised like any other."""
    world = Gallery(PICTURE, choices=(5,))
    config = settings(network={"channels": channels, "encoder": 6, "lstm": 5, "normalise_observations": True})
    (spec,) = divide(world.spec, config.sharing, config.network)
    tensors = layout(spec, config)
    assert next(iter(tensors)) == first
    assert tensors["encoder.weight"].shape == (6, width)
    assert ("all/observation" in first_version(config, (spec,)).tensors()) is not bool(channels)


def test_torch_sees_what_the_actor_sees_to_the_last_bit_but_rounding() -> None:
    """The flattened picture is laid out row, column, channel on both sides."""
    draws = np.random.default_rng(1)
    pictures = draws.normal(size=(2, *PICTURE)).astype(np.float32)
    weight, bias = draws.normal(size=(4, 27)).astype(np.float32), draws.normal(size=4).astype(np.float32)
    kernels = torch.from_numpy(weight).view(4, 3, 3, 3).permute(0, 3, 1, 2)
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(pictures).permute(0, 3, 1, 2), kernels, torch.from_numpy(bias), 2, 1
    )
    ours = convolve(pictures, weight, bias, 3, 2, "relu")
    np.testing.assert_allclose(torch.relu(theirs).permute(0, 2, 3, 1).numpy(), ours, atol=1e-5)
