"""The figures of a gradient's quality say what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import StatisticSums
from chorus.learner.group.group import ALONE
from chorus.learner.update.batch import CPU, StepTotals, batch_totals, step_totals
from chorus.learner.update.episode_totals import EpisodeTotals
from chorus.learner.update.quality import explained_variance as explained
from chorus.learner.update.quality import ratio, signal_and_noise


def batch(signal: float, draws: np.random.Generator, tasks: int = 8) -> StepTotals:
    """The gradients of tasks, 500 numbers each: a signal, and noise of deviation 1."""
    gradients = [torch.tensor(signal + draws.normal(size=500)) for _ in range(tasks)]
    sums = [[StepSums(gradient, square=float(gradient.square().sum()))] for gradient in gradients]
    return step_totals(sums, [500], tasks, ALONE, CPU, map)[0]


@pytest.mark.parametrize("signal", [0.0, 0.5, 2.0])
def test_signal_to_noise_is_the_squared_signal_over_the_variance_of_the_mean(signal: float) -> None:
    draws = np.random.default_rng(0)
    measured = ratio(*np.mean([signal_and_noise(batch(signal, draws)) for _ in range(100)], axis=0))
    assert measured == pytest.approx(signal**2 / (1.0 / 8.0), rel=0.05, abs=0.05)


def test_of_one_task_nothing_is_known() -> None:
    assert not signal_and_noise(batch(1.0, np.random.default_rng(0), tasks=1)).any()
    assert np.isnan(ratio(0.0, 0.0))


def returned(returns: np.ndarray, baseline: np.ndarray) -> PolicySums:
    """A task with these returns `[time, row]`."""
    sums = [
        np.stack([np.full(len(values), values.shape[1]), values.sum(axis=1), np.square(values).sum(axis=1)], axis=1)
        for values in (returns, returns - baseline)
    ]
    return PolicySums(StepSums(), StatisticSums.nothing(np.zeros(3)), sums[0], sums[1], ())


def explained_variance(parts: list[PolicySums]) -> float:
    """Of a batch of such tasks."""
    happened = [EpisodeTotals(1, 1, 1, 0.0, 0.0) for _ in parts]
    total = batch_totals([[part] for part in parts], happened, 1.0, [0], len(parts), ALONE)
    return explained(total.returns[0], total.residual[0])


def test_a_baseline_that_knows_nothing_but_the_time_explains_nothing() -> None:
    draws = np.random.default_rng(1)
    trend = np.linspace(100.0, 0.0, 20)[:, None]
    returns = trend + draws.normal(size=(20, 500))
    luck = draws.normal(size=(20, 500))
    assert explained_variance([returned(returns, np.broadcast_to(trend, returns.shape))]) == pytest.approx(
        0.0, abs=1e-9
    )
    assert explained_variance([returned(returns, trend + 0.1 * luck)]) == pytest.approx(-0.01, abs=0.02)
    assert explained_variance([returned(returns, returns)]) == pytest.approx(1.0)
    half = explained_variance([returned(returns, trend + (returns - trend) / 2.0)])
    assert half == pytest.approx(0.75)


def test_tasks_whose_episodes_are_of_unlike_lengths_are_counted_step_by_step_together() -> None:
    draws = np.random.default_rng(2)
    short, long = draws.normal(size=(3, 4)), draws.normal(size=(5, 6))
    guess = 0.3
    deviations = [np.concatenate([(short[step] if step < 3 else np.zeros(0)), long[step]]) for step in range(5)]
    within = sum(float(np.square(values - values.mean()).sum()) for values in deviations)
    parts = [returned(short, short * guess), returned(long, long * guess)]
    left = sum(float(np.square(0.7 * (values - values.mean())).sum()) for values in deviations)
    assert explained_variance(parts) == pytest.approx(1.0 - left / within)
