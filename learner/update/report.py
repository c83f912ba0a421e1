"""What an update did, told once: for the record, the metrics and the live view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import torch

from chorus.learner.update.batch import StepTotals
from chorus.learner.update.episode_totals import EpisodeTotals
from chorus.learner.update.optimiser import Clipped


@dataclass(frozen=True)
class Step:
    """One optimiser step of an update.

    Attributes:
        totals: what all tasks add up to, policy by policy.
        clipped: each policy's gradient.
        ratio_max: the greatest importance ratio of this process's tasks.
    """

    totals: Sequence[StepTotals]
    clipped: Sequence[Clipped]
    ratio_max: float

    def mean(self, name: str) -> float:
        """Of a summed quantity, over agent-steps."""
        total = sum(getattr(part, name) for part in self.totals)
        return float(total / max(1, sum(part.steps for part in self.totals)))

    @property
    def norm(self) -> float:
        """Of all policies' gradients together, before the clip."""
        return sqrt(sum(part.norm**2 for part in self.clipped))

    def without_gradients(self) -> Step:
        """What is left to tell of it: gradients are large."""
        nothing = torch.empty(0)
        return Step(
            [replace(part, gradient=nothing) for part in self.totals],
            [replace(part, gradient=nothing) for part in self.clipped],
            self.ratio_max,
        )


@dataclass(frozen=True)
class UpdateReport:
    """What an update did. Means are over the batch's agent-steps; what is not said to be otherwise is of the first
    step.

    Attributes:
        update: counts from 0.
        version: of the weights that the update made.
        collected_by: the version that the batch was played by.
        totals: of the batch, episodes and tasks added up.
        individual_return, team_return, mixed_return: means over episodes, summed over agents.
        gradient_norm: of all policies together, before the clip.
        clipped: the share of gradients that the norm's clip shortened, over steps and policies.
        signal_to_noise: of the batch's gradient, judged from its tasks', mean over policies; of running means.
        entropy: of the policy.
        explained_variance: of returns by their baseline, within the steps of the episode; mean over policies.
        disagreement: greatest relative difference of log-probabilities between learner and actors (lag 0).
        passes: how often the batch was gone through; less than `update.passes` where `loss.target_kl` ended it.
        kl: of the policy from the one that acted, seen at the last step.
        surrogate_clipped: the share of agent-steps that the surrogate's clip took out of the last step.
        ratio_mean, ratio_max: importance ratios before the clip, at the last step.
        learning_rate: that the steps were taken with.
    """

    update: int
    version: int
    collected_by: int
    totals: EpisodeTotals
    individual_return: float
    team_return: float
    mixed_return: float
    gradient_norm: float
    clipped: float
    signal_to_noise: float
    loss: float
    entropy: float
    explained_variance: float
    disagreement: float
    passes: float
    kl: float
    surrogate_clipped: float
    ratio_mean: float
    ratio_max: float
    learning_rate: float
