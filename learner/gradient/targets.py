"""What a learned value is fitted to: lambda-returns and n-step returns of one policy's rows, in float64 NumPy.

Both bootstrap inside a life only. Where a life ends, what follows is known: nothing for the individual part, and the
team part that the rest of the episode really brought.
"""

from __future__ import annotations

import numpy as np

from chorus.common.environments.interface import BoolArray
from chorus.learner.gradient.returns import Values


def lambda_returns(
    rewards: Values, values: Values, acted: BoolArray, ended: BoolArray, tails: Values, discount: float, trace: float
) -> Values:
    """`G_t = r_t + gamma ((1 - lambda) V_{t+1} + lambda G_{t+1})` (Sutton & Barto 2018, section 12.1), `[time, row]`.

    Args:
        rewards: `[time, row]`.
        values: `[time, row]`, read where somebody acted; steps without an action pass rewards on to the one before.
        acted: bool `[time, row]`.
        ended: bool `[time, row]`, where a life ended.
        tails: `[time, row]`, read where a life ended: what followed, already discounted.
        discount: gamma.
        trace: lambda; 1 gives Monte-Carlo returns with tails, 0 one-step targets.
    """
    returns = np.empty_like(rewards)
    later = np.zeros_like(rewards[0])
    for step in range(len(rewards) - 1, -1, -1):
        returns[step] = rewards[step] + np.where(ended[step], tails[step], discount * later)
        later = np.where(acted[step], (1.0 - trace) * values[step] + trace * returns[step], returns[step])
    return returns


def step_returns(
    rewards: Values, values: Values, acted: BoolArray, ended: BoolArray, tails: Values, discount: float, steps: int
) -> Values:
    """Returns of `steps` actions and the value after them (Sutton & Barto 2018, section 7.1); arguments as above."""
    returns = np.empty_like(rewards)
    later = np.zeros((steps, *rewards[0].shape))  # later[k]: the return of k actions from the next step on
    for step in range(len(rewards) - 1, -1, -1):
        now = rewards[step] + np.where(ended[step], tails[step], discount * later)
        returns[step] = now[-1]
        shifted = np.concatenate([values[step][None], now[:-1]])
        later = np.where(acted[step], shifted, now)
    return returns
