"""Environments of the studies: `spread` with observations hidden, agents that end early, or other rewards.

Each is a factory for `environment.spec`, such as `chorus.studies.worlds:blind?agents=2`.

    blind      landmarks are seen only in the first steps, so that a policy must remember; agents pay as in `sparse`
    batteries  lives end after random numbers of steps, so that they are of unequal length; agents pay as in `sparse`
    sparse     the team is paid while all landmarks are covered, agents for being near one: shaping of a hard team task
    weather    agents are paid for going where an unseen wind blows, the same for all: luck that they have in common
    tag        one chaser and two runners, who see and do alike things and want opposite ones
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import ActionArray, EnvironmentSpec, FloatArray, Frame, Outcome
from chorus.common.environments.spread import CONTACT_DISTANCE, Spread

PACKAGE = "chorus-studies 1"  # to be counted up whenever the numbers that an episode yields change
COVERED = 0.3
"""A landmark is covered when an agent is nearer than this."""
ARENA = 1.0
"""`tag` is played in the square from -ARENA to ARENA; an agent that leaves it gets a penalty."""


class _Variant:
    """`spread`, to be changed by subclasses."""

    def __init__(self, name: str, agents: int, steps: int) -> None:
        self._inner = Spread(agents, steps)
        self._agents = agents
        self._steps = steps
        self.spec: EnvironmentSpec = replace(self._inner.spec, name=name, package=PACKAGE)

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin as `spread` does."""
        return self._inner.reset(episodes, generator)

    def step(self, actions: ActionArray) -> Outcome:
        """Step as `spread` does."""
        return self._inner.step(actions)

    def render(self) -> NDArray[np.uint8] | None:
        """The picture of `spread`."""
        return self._inner.render()

    def close(self) -> None:
        """Nothing is held."""

    def _landmark_distances(self, frame: Frame) -> NDArray[np.float64]:
        """`[episode, agent, landmark]`, from what the agents of `spread` see."""
        offsets = frame.observations[:, :, 4 : 4 + 2 * self._agents].astype(np.float64)
        distances: NDArray[np.float64] = np.sqrt(np.square(offsets).reshape(*offsets.shape[:2], -1, 2).sum(axis=3))
        return distances


class Blind(_Variant):
    """Landmarks are seen in the first `seen` frames of an episode, and are zeros from then on.

    The team is paid as in `spread`; an agent pays its distance from the nearest landmark, as in `sparse`.
    """

    def __init__(self, agents: int, steps: int, seen: int) -> None:
        super().__init__(f"chorus.studies.worlds:blind?agents={agents}&steps={steps}&seen={seen}", agents, steps)
        self._seen = seen
        self._step = 0

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin, with the landmarks in sight."""
        self._step = 0
        return self._hide(super().reset(episodes, generator))

    def step(self, actions: ActionArray) -> Outcome:
        """Step, and hide the landmarks when it is time."""
        outcome = super().step(actions)
        self._step += 1
        rewards = -self._landmark_distances(outcome.frame).min(axis=2).astype(np.float32)
        return replace(outcome, rewards=rewards, frame=self._hide(outcome.frame))

    def _hide(self, frame: Frame) -> Frame:
        if self._step < self._seen:
            return frame
        observations = frame.observations.copy()
        observations[:, :, 4 : 4 + 2 * self._agents] = 0.0
        return replace(frame, observations=observations)


class Batteries(_Variant):
    """Agent i of episode k acts for a number of steps drawn from `least` to `steps`, and then drifts, its life over.

    The team is paid as in `spread`; an agent pays its distance from the nearest landmark, as in `sparse`.
    """

    def __init__(self, agents: int, steps: int, least: int) -> None:
        super().__init__(f"chorus.studies.worlds:batteries?agents={agents}&steps={steps}&least={least}", agents, steps)
        self._least = least
        self._step = 0
        self._charge = np.zeros((0, agents), np.int64)
        self._over = np.zeros(0, np.bool_)

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin, and charge the batteries."""
        frame = super().reset(episodes, generator)
        self._charge = generator.integers(self._least, self._steps + 1, (episodes, self._agents))
        self._over = np.zeros(episodes, np.bool_)
        self._step = 0
        return frame

    def step(self, actions: ActionArray) -> Outcome:
        """Step, and end the lives whose batteries are empty."""
        outcome = super().step(actions)
        self._step += 1
        working = self._charge >= self._step  # during this step
        goes_on = self._charge > self._step
        before = self._over.copy()
        self._over |= ~goes_on.any(axis=1)
        at_end = self._step == self._steps
        return Outcome(
            rewards=np.where(working, -self._landmark_distances(outcome.frame).min(axis=2), 0.0).astype(np.float32),
            team_rewards=np.where(before, np.float32(0.0), outcome.team_rewards),
            terminated=working & ~goes_on & (not at_end),
            truncated=working & np.bool_(at_end),
            over=self._over.copy(),
            frame=Frame(outcome.frame.observations, goes_on & ~self._over[:, None]),
        )


class Sparse(_Variant):
    """The team is paid 1 a step while all landmarks are covered; an agent pays how far the nearest landmark is."""

    def __init__(self, agents: int, steps: int) -> None:
        super().__init__(f"chorus.studies.worlds:sparse?agents={agents}&steps={steps}", agents, steps)

    def step(self, actions: ActionArray) -> Outcome:
        """Step, and pay otherwise."""
        outcome = super().step(actions)
        distances = self._landmark_distances(outcome.frame)
        return replace(
            outcome,
            rewards=-distances.min(axis=2).astype(np.float32),
            team_rewards=(distances.min(axis=1) < COVERED).all(axis=1).astype(np.float32),
        )


class Weather(_Variant):
    """An agent is paid its velocity along a wind that nobody sees and that blows alike for all, by episode.

    The team is paid the mean of that. Nothing can be learned here: the gradient is noise, and all agents have the same.
    """

    def __init__(self, agents: int, steps: int) -> None:
        super().__init__(f"chorus.studies.worlds:weather?agents={agents}&steps={steps}", agents, steps)
        self._wind = np.zeros((0, 2))

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin, and let a wind blow."""
        frame = super().reset(episodes, generator)
        angle = generator.uniform(0.0, 2.0 * np.pi, episodes)
        self._wind = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return frame

    def step(self, actions: ActionArray) -> Outcome:
        """Step, and pay otherwise."""
        outcome = super().step(actions)
        along = (outcome.frame.observations[:, :, :2] * self._wind[:, None]).sum(axis=2)
        return replace(outcome, rewards=along.astype(np.float32), team_rewards=along.mean(axis=1).astype(np.float32))


class Tag(_Variant):
    """A chaser is paid 1 for each of two runners that it touches, the runner pays 1; who leaves the square pays too.

    The chaser also pays a tenth of its distance from the nearest runner, which helps it to learn at all. All three see
    their own velocity and place and, in order of number, where the other two are. Nothing tells them who they are.
    """

    def __init__(self, steps: int) -> None:
        super().__init__(f"chorus.studies.worlds:tag?steps={steps}", 3, steps)
        names = ("chaser_0", "runner_0", "runner_1")
        agents = tuple(
            replace(agent, name=name, observation_shape=(8,))
            for agent, name in zip(self.spec.agents, names, strict=True)
        )
        self.spec = replace(self.spec, agents=agents, team_reward=False)

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin."""
        return self._crop(super().reset(episodes, generator))

    def step(self, actions: ActionArray) -> Outcome:
        """Step, and pay otherwise."""
        outcome = super().step(actions)
        frame = self._crop(outcome.frame)
        seen = frame.observations
        distances = np.sqrt(np.square(seen[:, 0, 4:8]).reshape(-1, 2, 2).sum(axis=2))
        touched = (distances < CONTACT_DISTANCE).astype(np.float32)
        outside = np.clip(np.abs(seen[:, :, 2:4]) - ARENA, 0.0, 1.0).sum(axis=2)
        rewards = np.concatenate([touched.sum(axis=1, keepdims=True), -touched], axis=1) - 5.0 * outside
        rewards[:, 0] -= 0.1 * distances.min(axis=1)
        return replace(
            outcome,
            rewards=rewards.astype(np.float32),
            team_rewards=np.zeros(len(rewards), np.float32),
            frame=frame,
        )

    def _crop(self, frame: Frame) -> Frame:
        """Without landmarks and without the speech that nobody uses."""
        seen = frame.observations
        cropped: FloatArray = np.concatenate([seen[:, :, :4], seen[:, :, 10:14]], axis=2)
        return replace(frame, observations=cropped)


def blind(agents: int = 2, steps: int = 25, seen: int = 1) -> Blind:
    """`chorus.studies.worlds:blind?agents=2&steps=25&seen=1`."""
    return Blind(agents, steps, seen)


def batteries(agents: int = 3, steps: int = 25, least: int = 5) -> Batteries:
    """`chorus.studies.worlds:batteries?agents=3&steps=25&least=5`."""
    return Batteries(agents, steps, least)


def sparse(agents: int = 2, steps: int = 25) -> Sparse:
    """`chorus.studies.worlds:sparse?agents=2&steps=25`."""
    return Sparse(agents, steps)


def weather(agents: int = 8, steps: int = 25) -> Weather:
    """`chorus.studies.worlds:weather?agents=8&steps=25`."""
    return Weather(agents, steps)


def tag(steps: int = 25) -> Tag:
    """`chorus.studies.worlds:tag?steps=25`."""
    return Tag(steps)
