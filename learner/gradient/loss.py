"""The loss of one policy's steps of one task, and its gradient: what every step of an update differentiates.

    L = -sum_step w J_step  -  beta sum w H(pi(. | h_t))  +  (1/2) weight sum w (V_t - target_t)^2

with Z = 1, since Z belongs to the whole batch. J is, at the one step of an update that has only one,

    min(rho, c) A_t log pi(a_t | h_t)                      (Williams 1992; rho detached: Espeholt et al. 2018)

and the clipped surrogate of Schulman et al. (2017) at every step of a batch that is used more than once, but the first
at lag 0, where both have the same gradient:

    min(rho A_t, clip(rho, 1 - c, 1 + c) A_t)

`rho = pi / mu` is the importance ratio of the weights at hand to the policy that acted. `w` is 1, or with `agent_mean`
one over the length of the step's life.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chorus.common.settings.config import Config
from chorus.learner.gradient.distribution import categorical, squashed_gaussian
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.network import Network, Outputs


@dataclass(frozen=True, eq=False)
class Sample:
    """All that the loss of one policy's steps of one task reads beside the weights; every step of an update reads the
    same.

    Attributes:
        lives: the sequences.
        inputs: `[step, input]`, normalised.
        seen: `[step, team input]`, what the value's own network is shown if it sees the team; None if it does not.
        actions: `[step, component]`, as the actor wrote them down.
        allowed: bool `[step, output]`; None without action masks.
        behaviour: `[step]`, log-probabilities by the policy that acted.
        advantage: `[step]`, in units of the advantages' deviation.
        target: `[step]`, what the value is fitted to, in units of the returns' deviation; None without a value.
        weights: `[step]` or `[1]`.
        bonus: weight of the entropy.
    """

    lives: Lives
    inputs: Tensor
    seen: Tensor | None
    actions: Tensor
    allowed: Tensor | None
    behaviour: Tensor
    advantage: Tensor
    target: Tensor | None
    weights: Tensor
    bonus: float


@dataclass(frozen=True)
class StepSums:
    """What one task contributes to one step of one policy: plain sums, so that tasks add up.

    Attributes:
        gradient: flat, of the summed loss (Z = 1); None if nobody acted by this policy, or it was not asked for.
        steps: agent-steps.
        lives: sequences.
        loss: the summed loss.
        entropy: summed over agent-steps.
        ratio: importance ratios before any clip, summed.
        ratio_max: the greatest of them.
        divergence: `rho - 1 - log rho`, summed: its mean estimates the KL divergence of the policy from the one that
            acted (Schulman 2020, the estimator that is never negative).
        shortened: agent-steps whose gradient the surrogate's clip took away.
        square: of the gradient's norm, where the batch's quality is judged by it.
        disagreement: greatest |log pi by the learner - log pi by the actor| / max(1, |log pi|); a measure of policy
            agreement where the weights are those that acted.
    """

    gradient: Tensor | None = None
    steps: int = 0
    lives: int = 0
    loss: float = 0.0
    entropy: float = 0.0
    ratio: float = 0.0
    ratio_max: float = 0.0
    divergence: float = 0.0
    shortened: int = 0
    square: float = 0.0
    disagreement: float = 0.0

    def __add__(self, other: StepSums) -> StepSums:
        """Of two blocks of one task, the first one first; the gradient in float64."""
        gradients = [part.gradient for part in (self, other) if part.gradient is not None]
        return StepSums(
            gradient=gradients[0].double() + gradients[1] if len(gradients) == 2 else next(iter(gradients), None),
            steps=self.steps + other.steps,
            lives=self.lives + other.lives,
            loss=self.loss + other.loss,
            entropy=self.entropy + other.entropy,
            ratio=self.ratio + other.ratio,
            ratio_max=max(self.ratio_max, other.ratio_max),
            divergence=self.divergence + other.divergence,
            shortened=self.shortened + other.shortened,
            disagreement=max(self.disagreement, other.disagreement),
        )

    def rounded(self, dtype: torch.dtype) -> StepSums:
        """With the gradient in the network's precision."""
        return self if self.gradient is None else replace(self, gradient=self.gradient.to(dtype))


def step_sums(
    network: Network,
    outputs: Outputs,
    sample: Sample,
    config: Config,
    surrogate: bool,
    on_policy: bool,
    differentiate: bool = True,
) -> StepSums:
    """One task's contribution to one step.

    Args:
        network: holds the weights that are differentiated.
        outputs: what it says of the sample.
        sample: the task's steps.
        config: the run's.
        surrogate: whether the objective is the clipped surrogate.
        on_policy: whether the weights are those that acted: the ratio is 1 by definition then.
        differentiate: whether the gradient is asked for.
    """
    log_probability, entropy = judge(network, outputs.policy, sample)
    distance = log_probability.detach() - sample.behaviour
    ratio = torch.ones_like(distance) if on_policy else torch.exp(distance)
    shortened = torch.zeros_like(distance, dtype=torch.bool)
    if surrogate:
        objective, shortened = _clipped(log_probability, sample, config.loss.surrogate_clip)
    else:
        limit = config.loss.importance_clip
        trust = torch.ones_like(ratio) if limit is None else torch.clamp(ratio, max=limit)
        objective = trust * sample.advantage * log_probability
    objective = objective + sample.bonus * entropy
    loss = entropy.new_zeros(())
    if sample.target is not None and outputs.value is not None:
        loss = config.value.weight * 0.5 * ((outputs.value - sample.target).square() * sample.weights).sum()
    loss = loss - (objective * sample.weights).sum()
    gap = distance.abs() / sample.behaviour.abs().clamp(min=1.0)
    divergence = torch.zeros_like(ratio) if on_policy else ratio - 1.0 - distance
    return StepSums(
        gradient=network.gradient(loss) if differentiate else None,
        steps=len(distance),
        lives=len(sample.lives.lengths),
        loss=float(loss.detach()),
        entropy=float(entropy.detach().sum()),
        ratio=float(ratio.double().sum()),
        ratio_max=float(ratio.max()),
        divergence=float(divergence.double().sum()),
        shortened=int(shortened.count_nonzero()),
        disagreement=float(gap.max()),
    )


def judge(network: Network, outputs: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the actions taken, and entropies, both `[step]`."""
    agent = network.spec.agent
    if agent.bounds:
        actions = sample.actions.to(outputs.dtype)
        return squashed_gaussian(outputs, network.parameters["log_std"], actions, agent.bounds)
    if sample.allowed is not None:
        outputs = outputs.masked_fill(~sample.allowed, -torch.inf)
    return categorical(outputs, sample.actions, agent.choices)


def _clipped(log_probability: Tensor, sample: Sample, limit: float) -> tuple[Tensor, Tensor]:
    """The surrogate `[step]`, and where it has no slope because the ratio is beyond the limit already."""
    ratio = torch.exp(log_probability - sample.behaviour)
    plain, held = ratio * sample.advantage, torch.clamp(ratio, 1.0 - limit, 1.0 + limit) * sample.advantage
    return torch.minimum(plain, held), (held < plain).detach()
