"""Running statistics that belong to a policy version: of advantages, rewards and observations.

They change only at an update, from float64 sums that no order changes (`learner/group/exact_sum.py`), so they are as
reproducible as the weights they travel with.
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
        credit: `[3]`, weight and weighted sums of the means of returns and of their squares, older batches fading; a
            learned value predicts returns in their terms (van Hasselt et al. 2016; Yu et al. 2022).
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
        return Statistics(np.zeros(2), np.zeros(3), np.zeros(3), np.zeros(1 + 2 * size) if normalised else None)

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
        """Mean and deviation of returns: a learned value is `mean + deviation * output`."""
        weight, total, squares = self.credit
        if weight == 0.0:
            return 0.0, 1.0
        mean = total / weight
        return mean, _guarded(sqrt(max(0.0, squares / weight - mean * mean)))

    def reward_scale(self, config: Config) -> float:
        """What rewards are divided by."""
        count, total, squares = self.reward
        if config.reward.scale == "none" or count == 0.0:
            return 1.0
        return _guarded(sqrt(max(0.0, squares / count - (total / count) ** 2)))

    @property
    def empty(self) -> bool:
        """Whether nobody has acted by this policy yet, so that nothing is known of the size of its rewards."""
        return bool(self.credit[0] == 0.0)

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

    @staticmethod
    def nothing(reward: Sums) -> StatisticSums:
        """Of a task in which nobody acted by the policy; its agents may have been given rewards all the same."""
        return StatisticSums(0, 0.0, np.zeros(3), reward, None)

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


def observation_sums(rows: NDArray[np.floating]) -> Sums:
    """`[1 + 2 * size]`: count, sums and sums of squares of rows `[step, size]`."""
    exact = rows.astype(np.float64)
    return np.concatenate([[len(exact)], exact.sum(axis=0), np.square(exact).sum(axis=0)])


def _faded(before: Sums, batch: Sums, memory: float) -> Sums:
    faded: Sums = memory * before + (1.0 - memory) * batch
    return faded


def _guarded(deviation: float) -> float:
    return deviation if deviation > 1e-8 else 1.0
