"""Monitors an environment while it plays: counts events, and records every rule of the interface that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import EnvironmentSpec, FloatArray, Frame, ObservationArray, Outcome


class EpisodeMonitor:
    """What was seen over several batches of episodes.

    Attributes:
        lengths: steps of every episode that came to its end.
        unfinished: episodes that did not.
        individual, team: `[episode]`, undiscounted returns; the individual ones summed over agents.
        extremes: least and greatest individual reward of one agent in one step.
        deaths: lives that ended before their episode.
        rebirths: lives that began in a slot where one had ended.
        waits: steps at which somebody alive was absent.
        paid: whether anybody ever got a reward of its own.
        alike: whether all agents got the same reward whenever anybody got one.
        opposed: whether the agents' rewards added up to nothing whenever anybody got one.
        largest: greatest absolute observation.
        breaches: rules broken, each with its remedy.
        strays: agents whose observations left what their space promises, each with the first number that did.
        over: `[episode]` of the present batch.
    """

    def __init__(
        self, spec: EnvironmentSpec, promises: Sequence[tuple[FloatArray, FloatArray] | None] | None = None
    ) -> None:
        """Watch an environment; `promises` are the least and greatest numbers of each agent's row, where it says."""
        self._spec = spec
        self._promises = promises or [None] * len(spec.agents)
        self.strays: dict[str, float] = {}
        self.lengths: list[int] = []
        self.unfinished = 0
        self.individual: list[float] = []
        self.team: list[float] = []
        self.extremes = (np.inf, -np.inf)
        self.deaths = self.rebirths = self.waits = 0
        self.paid = False
        self.alike = self.opposed = True
        self.largest = 0.0
        self.breaches: dict[str, str] = {}

    def begin(self, frame: Frame) -> None:
        """A batch begins."""
        episodes, shape = len(frame.present), (len(frame.present), len(self._spec.agents))
        self.over = np.zeros(episodes, bool)
        self._length = np.zeros(episodes, int)
        self._individual, self._team = np.zeros(episodes), np.zeros(episodes)
        self._alive, self._ended_before = np.zeros(shape, bool), np.zeros(shape, bool)
        self._look(frame, np.zeros(episodes, bool))
        self._alive |= frame.present

    def see(self, outcome: Outcome) -> None:
        """A step of the batch was taken."""
        was_over, alive = self.over.copy(), self._alive
        self._check(outcome, was_over)
        self._length[~was_over] += 1
        gains = np.where(alive & ~was_over[:, None], outcome.rewards, 0.0)
        self._individual += gains.sum(axis=1)
        self._team += np.where(was_over, 0.0, outcome.team_rewards)
        if alive.any():
            self.extremes = min(self.extremes[0], gains[alive].min()), max(self.extremes[1], gains[alive].max())
        paid = gains.any(axis=1)
        self.paid |= bool(paid.any())
        self.opposed &= bool((np.abs(gains.sum(axis=1)) <= 1e-5 * np.abs(gains).sum(axis=1))[paid].all())
        self.alike &= not (alive & (gains != gains.max(axis=1, keepdims=True)))[paid].any()
        ended = (outcome.terminated | outcome.truncated) & alive
        self.deaths += int((ended & ~outcome.over[:, None]).sum())
        self.over = was_over | outcome.over
        alive &= ~(ended | self.over[:, None])
        self._ended_before |= ended
        born = outcome.frame.present & ~alive
        self.rebirths += int((born & self._ended_before).sum())
        alive |= outcome.frame.present
        self.waits += int((alive & ~outcome.frame.present).sum())
        self._look(outcome.frame, self.over)
        final = outcome.frame.observations if outcome.final_observations is None else outcome.final_observations
        if outcome.truncated.any():
            self._finite("the last observation of a truncated agent", final[outcome.truncated])

    def end(self) -> None:
        """The batch is over, or given up."""
        self.lengths += self._length[self.over].tolist()
        self.unfinished += int((~self.over).sum())
        self.individual += self._individual[self.over].tolist()
        self.team += self._team[self.over].tolist()

    def _look(self, frame: Frame, over: NDArray[np.bool_]) -> None:
        """Look at what the agents see."""
        shape = (len(over), len(self._spec.agents))
        self._array(
            "frame.observations",
            frame.observations,
            (*shape, self._spec.observation_size),
            self._spec.observation_dtype,
        )
        self._array("frame.present", frame.present, shape, np.bool_)
        if self._spec.action_masks:
            self._array("frame.action_mask", frame.action_mask, (*shape, self._spec.choice_size), np.bool_)
        if (frame.present & over[:, None]).any():
            self._breach("somebody is present in an episode that is over", "clear frame.present when an episode ends")
        for i, promise in enumerate(self._promises):
            if promise is not None and self._spec.agents[i].name not in self.strays:
                rows = frame.observations[frame.present[:, i], i, : len(promise[0])]
                strange = (rows < promise[0]) | (rows > promise[1])
                if strange.any():
                    self.strays[self._spec.agents[i].name] = float(rows[strange][0])
        seen = frame.observations[frame.present]
        self._finite("an observation", seen)
        if seen.size:
            self.largest = max(self.largest, float(np.abs(seen[np.isfinite(seen)]).max(initial=0.0)))

    def _check(self, outcome: Outcome, was_over: NDArray[np.bool_]) -> None:
        """Look whether the step kept the rules."""
        shape = (len(was_over), len(self._spec.agents))
        for name in ("terminated", "truncated"):
            self._array(name, getattr(outcome, name), shape, np.bool_)
        self._array("rewards", outcome.rewards, shape, np.float32)
        self._array("team_rewards", outcome.team_rewards, shape[:1], np.float32)
        self._array("over", outcome.over, shape[:1], np.bool_)
        self._finite("an individual reward", outcome.rewards)
        self._finite("a team reward", outcome.team_rewards)
        if (was_over & ~outcome.over).any():
            self._breach("an episode that was over began again", "let outcome.over stay True until reset")
        if not self._spec.team_reward and outcome.team_rewards.any():
            self._breach("team rewards are given but not announced", "set team_reward=True in EnvironmentSpec")
        ended = (outcome.terminated | outcome.truncated) & ~was_over[:, None]
        if (ended & ~self._alive).any():
            self._breach("a life ended that had not begun", "set terminated and truncated only for agents alive")
        if self._spec.max_steps is not None and (self._length[~was_over] >= self._spec.max_steps).any():
            self._breach(
                f"an episode went beyond max_steps = {self._spec.max_steps}",
                "announce the true length of the longest episode, or None",
            )

    def _array(self, name: str, array: Any, shape: tuple[int, ...], dtype: Any) -> None:
        found = getattr(array, "shape", None), getattr(array, "dtype", None)
        if found != (shape, np.dtype(dtype)):
            self._breach(
                f"{name} is {found[1]} {list(found[0] or ())} and not {np.dtype(dtype)} {list(shape)}",
                "return arrays as chorus.common.environments.interface describes them",
            )

    def _finite(self, what: str, array: ObservationArray) -> None:
        if not np.isfinite(array).all():
            self._breach(f"{what} is NaN or infinite", "find the division by zero or the logarithm of zero behind it")

    def _breach(self, text: str, remedy: str) -> None:
        self.breaches.setdefault(text, remedy)
