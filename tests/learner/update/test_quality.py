"""The figures of a gradient's quality say what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import StatisticSums
from chorus.learner.update.quality import signal_to_noise


def tasks(signal: float, draws: np.random.Generator) -> list[PolicySums]:
    """Eight tasks' gradients of 500 numbers: a signal, and noise of deviation 1."""
    nothing = StatisticSums(1, 0.0, np.zeros(6), np.zeros(3), None)
    return [PolicySums(torch.tensor(signal + draws.normal(size=500)), nothing) for _ in range(8)]


@pytest.mark.parametrize("signal", [0.0, 0.5, 2.0])
def test_signal_to_noise_is_the_squared_signal_over_the_variance_of_the_mean(signal: float) -> None:
    draws = np.random.default_rng(0)
    measured = np.mean([signal_to_noise(tasks(signal, draws)) for _ in range(100)])
    assert measured == pytest.approx(signal**2 / (1.0 / 8.0), rel=0.05, abs=0.05)
