"""From a network's outputs and draws to actions and their log-probabilities."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import BoolArray, Bounds, FloatArray, kind_of
from chorus.common.errors import EnvironmentFault


def sample(
    logits: FloatArray, choices: tuple[int, ...], draws: FloatArray, mask: BoolArray | None, greedy: bool
) -> tuple[NDArray[np.int32], FloatArray]:
    """Choose an action for every row, component by component, by inverting the cumulative distribution.

    The draw is scaled by the row's own last cumulative sum: a float32 sum may end below 1, and a draw between the two
    would pick the last choice, allowed or not. A choice of probability 0 adds nothing to the cumulative sum and is
    therefore never the first to exceed a draw.

    Args:
        logits: float32 `[output, row]`, the components' choices one after the other.
        choices: number of choices of each component; they add up to `output`.
        draws: float32 `[row, component]`, uniform in [0, 1).
        mask: bool `[row, output]`, True where allowed; None allows everything.
        greedy: take the likeliest choice instead, the first of equals.

    Returns:
        actions: int32 `[row, component]`; log-probabilities: float32 `[row]`, summed over components.

    Raises:
        EnvironmentFault: a row's mask allows nothing; its number is the exception's last argument.
    """
    rows = logits.shape[1]
    actions = np.empty((rows, len(choices)), np.int32)
    log_probabilities = np.zeros(rows, np.float32)
    everybody = np.arange(rows)
    start = 0
    for component, size in enumerate(choices):
        scores = logits[start : start + size]
        if mask is not None:
            allowed = mask[:, start : start + size].T
            stuck = ~allowed.any(axis=0)
            if stuck.any():
                raise EnvironmentFault("the action mask allows nothing", int(np.flatnonzero(stuck)[0]))
            scores = np.where(allowed, scores, -np.inf)
        greatest = scores.max(axis=0)
        shifted = scores - greatest
        cumulative = np.add.accumulate(np.exp(shifted), axis=0)
        total = cumulative[-1]
        if greedy:
            chosen = scores.argmax(axis=0)
        else:
            chosen = (cumulative <= draws[:, component] * total).sum(axis=0)
        actions[:, component] = chosen
        log_probabilities += shifted[chosen, everybody] - np.log(total)
        start += size
    return actions, log_probabilities


def sample_gaussian(
    means: FloatArray, log_std: FloatArray, bounds: tuple[tuple[float, float], ...], draws: FloatArray, greedy: bool
) -> tuple[FloatArray, FloatArray]:
    """Choose a continuous action for every row: Gaussian, to be brought within its bounds by `squash`.

    Args:
        means: float32 `[component, row]`.
        log_std: float32 `[component]`.
        bounds: (low, high) of each component.
        draws: float32 `[row, component]`, standard normal.
        greedy: take the mean.

    Returns:
        actions before the squash: float32 `[row, component]`; log-probabilities of those after it: float32 `[row]`.
    """
    actions = means.T if greedy else means.T + np.exp(log_std) * draws
    actions = np.ascontiguousarray(actions, np.float32)
    return actions, gaussian_score(means, log_std, bounds, actions)


def gaussian_score(
    means: FloatArray, log_std: FloatArray, bounds: tuple[tuple[float, float], ...], actions: FloatArray
) -> FloatArray:
    """Log-probabilities of squashed actions, float32 `[row]`, from `[row, component]` before the squash.

    In float64: where a Gaussian is narrow or an action far out, float32 would lose most of the digits. NumPy's float64
    `exp` and `log` come out otherwise with AVX-512, so those of the C library are taken (`math`, `np.logaddexp`).
    """
    spread, exact = log_std.astype(np.float64), actions.astype(np.float64)
    deviation = np.array([exp(value) for value in spread.tolist()])
    density = -0.5 * np.square((exact - means.T) / deviation) - spread - 0.5 * log(2.0 * pi)
    if all(kind is Bounds.BOTH for kind in map(kind_of, bounds)):
        half_widths = np.array([log((high - low) / 2.0) for low, high in bounds])
        scores: NDArray[np.float64] = (density - log_slope(exact) - half_widths).sum(axis=1)
        return scores.astype(np.float32)
    for component, (low, high) in enumerate(bounds):
        kind = kind_of((low, high))
        if kind is Bounds.BOTH:
            density[:, component] -= log_slope(exact[:, component]) + log((high - low) / 2.0)
        elif kind is not Bounds.NEITHER:
            density[:, component] += np.logaddexp(0.0, -exact[:, component])  # log of softplus's slope, 1 / (1 + e^-x)
    scores = density.sum(axis=1)
    return scores.astype(np.float32)


def log_slope(actions: NDArray[np.float64]) -> NDArray[np.float64]:
    """`log(1 - tanh(x)^2)`, the log of the squash's slope, as `2 (log 2 - |x| - softplus(-2 |x|))`: right far out
    too."""
    size = np.abs(actions)
    slope: NDArray[np.float64] = 2.0 * (log(2.0) - size - np.logaddexp(0.0, -2.0 * size))
    return slope


def squash(actions: FloatArray, bounds: tuple[tuple[float, float], ...]) -> FloatArray:
    """Actions within their bounds, as the environment takes them: float32 `[row, component]`.

    Between two bounds by the hyperbolic tangent; above or below one alone by `softplus(x) = log(1 + e^x)`; where there
    is none the Gaussian's own value is taken.
    """
    low, high = (np.array(side, np.float32) for side in zip(*bounds, strict=True))
    kinds = [kind_of(pair) for pair in bounds]
    if all(kind is Bounds.BOTH for kind in kinds):
        squashed: FloatArray = low + (np.tanh(actions) + np.float32(1.0)) * ((high - low) * np.float32(0.5))
        return np.clip(squashed, low, high)
    taken = actions.copy()
    for component, kind in enumerate(kinds):
        if kind is Bounds.BOTH:
            taken[:, component] = squash(actions[:, component, None], bounds[component : component + 1])[:, 0]
        elif kind is Bounds.LOW:
            taken[:, component] = low[component] + np.logaddexp(np.float32(0.0), actions[:, component])
        elif kind is Bounds.HIGH:
            taken[:, component] = high[component] - np.logaddexp(np.float32(0.0), actions[:, component])
    return taken
