"""Running statistics that belong to a policy version: of advantages, rewards and observations.

They change only at an update, from float64 sums per task added up in the order of tasks, so they are as reproducible as
the weights they travel with.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import is_picture, is_set
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config

Sums = NDArray[np.float64]

ADVANTAGE_MEMORY, RETURN_MEMORY = 0.99, 0.9
"""How much of the running means of advantages and of returns an update keeps."""
LEAST_DEVIATION = 1e-4
"""A smaller deviation is taken for a constant, which is left alone."""


@dataclass(frozen=True)
class Statistics:
    """The statistics of one policy.

    Attributes:
        advantage: `[2]`, weight and weighted sum of mean squared advantages, older batches fading.
        credit: `[6]`, weight and weighted sums of the other means of `return_sums`, older batches fading; a learned
            value predicts returns in their terms (van Hasselt et al. 2016; Yu et al. 2022).
        reward: `[3]`, count, sum and sum of squares of mixed rewards.
        observation: `[1 + 2 * size]`, count, sums and sums of squares; None if observations are not normalised.
    """

    advantage: Sums
    credit: Sums
    reward: Sums
    observation: Sums | None

    @staticmethod
    def fresh(spec: PolicySpec, config: Config) -> Statistics:
        """Before anything was seen."""
        shape, network = spec.agent.observation_shape, spec.network
        normalised = network.normalise_observations and not is_picture(shape, network) and not is_set(shape, network)
        size = spec.agent.observation_size
        return Statistics(np.zeros(2), np.zeros(6), np.zeros(3), np.zeros(1 + 2 * size) if normalised else None)

    @staticmethod
    def read(spec: PolicySpec, config: Config, tensors: Tensors) -> Statistics:
        """From a version's tensors."""
        fresh = Statistics.fresh(spec, config)
        return Statistics(
            tensors[f"{spec.name}/advantage"],
            tensors[f"{spec.name}/credit"],
            tensors[f"{spec.name}/reward"],
            None if fresh.observation is None else tensors[f"{spec.name}/observation"],
        )

    def tensors(self, spec: PolicySpec) -> Tensors:
        """For a version; what the actor needs of them is ready to use."""
        tensors: Tensors = {
            f"{spec.name}/advantage": self.advantage,
            f"{spec.name}/credit": self.credit,
            f"{spec.name}/reward": self.reward,
        }
        if self.observation is not None:
            mean, scale = self.normaliser()
            tensors |= {
                f"{spec.name}/observation": self.observation,
                f"{spec.name}/observation.mean": mean,
                f"{spec.name}/observation.scale": scale,
            }
        return tensors

    def normaliser(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and inverse deviation of every number of an observation, float32 `[size]`."""
        if self.observation is None:
            raise ValueError("observations are not normalised in this run")
        size = (len(self.observation) - 1) // 2
        count, sums, squares = self.observation[0], self.observation[1 : 1 + size], self.observation[1 + size :]
        if count == 0.0:
            return np.zeros(size, np.float32), np.ones(size, np.float32)
        mean = sums / count
        deviation = np.sqrt(np.maximum(squares / count - mean * mean, 0.0))
        scale = 1.0 / np.where(deviation < LEAST_DEVIATION, 1.0, deviation)
        return mean.astype(np.float32), scale.astype(np.float32)

    def advantage_scale(self, config: Config) -> float:
        """What advantages are divided by."""
        weight, total = self.advantage
        if not config.loss.normalise_advantages or weight == 0.0:
            return 1.0
        return _guarded(sqrt(total / weight))

    def value_terms(self) -> tuple[float, float]:
        """Mean and deviation of returns: a learned value is `mean + deviation * output`.

        Of returns that do not end at a limit of time, that is: what lies beyond it is taken to be the mean itself,
        `m = E[known] + E[beyond] m`. Taken from the value instead, it would move with the terms that it is told in, and
        the value would chase its own shadow at the start of a run; left out, the value would begin far off.
        """
        weight = self.credit[0]
        if weight == 0.0:
            return 0.0, 1.0
        known, beyond, known_square, product, beyond_square = self.credit[1:] / weight
        mean = known / (1.0 - beyond) if beyond < 1.0 else known  # 1: without a discount it has no bound
        tail = mean if beyond < 1.0 else 0.0
        square = known_square + 2.0 * tail * product + tail * tail * beyond_square
        return mean, _guarded(sqrt(max(0.0, square - mean * mean)))

    def reward_scale(self, config: Config) -> float:
        """What rewards are divided by."""
        count, total, squares = self.reward
        if config.reward.scale == "none" or count == 0.0:
            return 1.0
        return _guarded(sqrt(max(0.0, squares / count - (total / count) ** 2)))

    def after(self, sums: StatisticSums) -> Statistics:
        """After one more batch."""
        advantage, credit = self.advantage, self.credit
        if sums.steps:
            advantage = _faded(advantage, np.array([1.0, sums.advantage_square / sums.steps]), ADVANTAGE_MEMORY)
            credit = _faded(credit, sums.credit / sums.credit[0], RETURN_MEMORY)
        observation = self.observation
        if observation is not None and sums.observation is not None:
            observation = observation + sums.observation
        return Statistics(advantage, credit, self.reward + sums.reward, observation)


@dataclass(frozen=True)
class StatisticSums:
    """What a task, or a batch, adds to a policy's statistics; see `Statistics` for the shapes."""

    steps: int
    advantage_square: float
    credit: Sums
    reward: Sums
    observation: Sums | None

    def __add__(self, other: StatisticSums) -> StatisticSums:
        observation = self.observation
        if observation is None or other.observation is None:  # nobody acted in the one or the other
            observation = other.observation if observation is None else observation
        else:
            observation = observation + other.observation
        return StatisticSums(
            self.steps + other.steps,
            self.advantage_square + other.advantage_square,
            self.credit + other.credit,
            self.reward + other.reward,
            observation,
        )


def power_sums(values: NDArray[np.floating]) -> Sums:
    """`[3]`: count, sum and sum of squares of some numbers."""
    exact = values.astype(np.float64).ravel()
    return np.array([len(exact), exact.sum(), np.square(exact).sum()])


def return_sums(known: NDArray[np.floating], beyond: NDArray[np.floating]) -> Sums:
    """`[6]`: count and sums of k, b, k², k b and b², of the `known` part of returns and the weight of what lies
    `beyond` a limit of time."""
    k, b = known.astype(np.float64).ravel(), beyond.astype(np.float64).ravel()
    return np.array([len(k), k.sum(), b.sum(), np.square(k).sum(), (k * b).sum(), np.square(b).sum()])


def observation_sums(rows: NDArray[np.floating]) -> Sums:
    """`[1 + 2 * size]`: count, sums and sums of squares of rows `[step, size]`."""
    exact = rows.astype(np.float64)
    return np.concatenate([[len(exact)], exact.sum(axis=0), np.square(exact).sum(axis=0)])


def _faded(before: Sums, batch: Sums, memory: float) -> Sums:
    faded: Sums = memory * before + (1.0 - memory) * batch
    return faded


def _guarded(deviation: float) -> float:
    return deviation if deviation > 1e-8 else 1.0
