"""What a value that sees the team is shown: everybody's observation of the step, who acts, and whose value is asked.

The centralised baseline of Yu et al. (2022). The observations of those who do not act (dead, absent) are zero, and a
flag says so. Only the learner ever builds these inputs: the policy never sees them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chorus.common.environments.interface import FloatArray, as_seen
from chorus.common.policy.sharing import PolicySpec
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.running_statistics import Statistics


def everyone(
    trajectory: Trajectory, policies: Sequence[PolicySpec], statistics: Sequence[Statistics], episodes: slice
) -> FloatArray:
    """float32 `[time, episode, observations + agents]` of some episodes: all agents' observations one after the other,
    each normalised as its own policy's are, then a flag for each agent: 1 where it acts."""
    acted, observations = trajectory.acted[:, episodes], trajectory.observations[:, episodes]
    shown: list[FloatArray] = [np.empty((*acted.shape[:2], 0), np.float32)] * acted.shape[2]
    for policy, known in zip(policies, statistics, strict=True):
        for agent in policy.agents:
            observed = as_seen(observations[:, :, agent, : policy.agent.observation_size])
            if known.observation is not None:
                mean, scale = known.normaliser()
                observed = (observed - mean) * scale
            shown[agent] = np.where(acted[:, :, agent, None], observed, np.float32(0.0))
    return np.concatenate([*shown, acted.astype(np.float32)], axis=2)


def team_inputs(everybody: FloatArray, policy: PolicySpec) -> FloatArray:
    """float32 `[time, episode, agent of the policy, input]`: what `everyone` made, and a one-hot of who is asked
    for."""
    number = len(policy.agents)
    shape = (*everybody.shape[:2], number)
    asked = np.broadcast_to(np.eye(number, dtype=np.float32), (*shape, number))
    return np.concatenate([np.broadcast_to(everybody[:, :, None], (*shape, everybody.shape[2])), asked], axis=3)
