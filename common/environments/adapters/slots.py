"""The arrays over (episode, agent) that every step of `lockstep` fills anew."""

from __future__ import annotations

import numpy as np

from chorus.common.environments.interface import (
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    ObservationArray,
    Outcome,
)


class Slots:
    """K episodes' worth of them; `outcome` holds views of them all."""

    def __init__(self, spec: EnvironmentSpec, episodes: int) -> None:
        shape = (episodes, len(spec.agents))
        self.episodes = episodes
        self.observations: ObservationArray = np.zeros((*shape, spec.observation_size), spec.observation_dtype)
        self.present: BoolArray = np.zeros(shape, np.bool_)
        self.masks: BoolArray | None = np.zeros((*shape, spec.choice_size), np.bool_) if spec.action_masks else None
        self.gains: FloatArray = np.zeros(shape, np.float32)
        self.team_gains: FloatArray = np.zeros(episodes, np.float32)
        self.terminated: BoolArray = np.zeros(shape, np.bool_)
        self.truncated: BoolArray = np.zeros(shape, np.bool_)
        self.over: BoolArray = np.zeros(episodes, np.bool_)
        self.over_now = [False] * episodes  # the same, as Python reads it fastest
        self.rows = [
            [self.observations[k, i, : agent.observation_size] for i, agent in enumerate(spec.agents)]
            for k in range(episodes)
        ]
        self.mask_rows = [
            [self.masks[k, i, : sum(agent.choices)] for i, agent in enumerate(spec.agents)]
            for k in range(episodes if self.masks is not None else 0)
            if self.masks is not None
        ]
        self.outcome = Outcome(
            rewards=self.gains,
            team_rewards=self.team_gains,
            terminated=self.terminated,
            truncated=self.truncated,
            over=self.over,
            frame=Frame(self.observations, self.present, self.masks),
        )

    def clear(self) -> None:
        """Leave nothing of the task before."""
        self.forget_step()
        self.observations.fill(0)
        self.present.fill(False)
        self.over.fill(False)
        self.over_now = [False] * self.episodes
        if self.masks is not None:
            self.masks.fill(False)

    def forget_step(self) -> None:
        """Leave nothing of what the step before did."""
        self.gains.fill(0.0)
        self.team_gains.fill(0.0)
        self.terminated.fill(False)
        self.truncated.fill(False)
