"""Small worlds that the tests train in: pictures, teams of any size, sacrifice, departure, and strangers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.interface import (
    ActionArray,
    AgentSpec,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    Outcome,
)


class World(ABC):
    """What these worlds have in common; each says who is there, what they see, and what a step does."""

    spec: EnvironmentSpec
    steps: int

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin."""
        self.now = 0
        self.shape = (episodes, len(self.spec.agents))
        self.over = np.zeros(episodes, np.bool_)
        self.present = np.ones(self.shape, np.bool_)
        self.begin(generator)
        return self.frame()

    def step(self, actions: ActionArray) -> Outcome:
        """Go on, until nobody is left or the time is up."""
        self.now += 1
        there = self.present.copy()
        rewards, team_rewards, terminated = self.live(actions)
        terminated &= there
        self.present = there & ~terminated
        late = self.now == self.steps
        truncated = self.present & late
        self.over |= late | ~self.present.any(axis=1)
        self.present &= ~truncated
        return Outcome(
            rewards=np.where(there, rewards, 0.0).astype(np.float32),
            team_rewards=team_rewards.astype(np.float32),
            terminated=terminated,
            truncated=truncated,
            over=self.over.copy(),
            frame=self.frame(),
            final_observations=self.see(),
        )

    def frame(self) -> Frame:
        """What those who are present see."""
        return Frame(self.see(), self.present.copy())

    def render(self) -> NDArray[np.uint8] | None:
        """No picture."""
        return None

    def close(self) -> None:
        """Nothing to give back."""
        return

    @abstractmethod
    def begin(self, generator: np.random.Generator) -> None:
        """Set the stage."""

    @abstractmethod
    def see(self) -> FloatArray:
        """Observations `[episode, agent, observation]`."""

    @abstractmethod
    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """Rewards `[episode, agent]`, team rewards `[episode]`, and who dies `[episode, agent]`."""


class Gallery(World):
    """Agents see pictures, numbers or whatever else has a shape, drawn at random, and die now and then."""

    def __init__(
        self,
        shape: tuple[int, ...],
        choices: tuple[int, ...] = (),
        bounds: tuple[tuple[float, float], ...] = (),
        agents: int = 3,
        steps: int = 6,
    ) -> None:
        self.steps = steps
        members = tuple(AgentSpec(f"agent_{number}", shape, choices, bounds) for number in range(agents))
        self.spec = EnvironmentSpec("gallery", "gallery 1", members, steps, team_reward=True)

    def begin(self, generator: np.random.Generator) -> None:
        """Keep what all draws come from."""
        self.draws = generator

    def see(self) -> FloatArray:
        """Something new every time, off centre and of some size, so that to normalise it makes a difference."""
        seen: FloatArray = self.draws.normal(2.0, 3.0, (*self.shape, self.spec.observation_size)).astype(np.float32)
        return seen

    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """Small actions pay."""
        rewards = -np.abs(actions).sum(axis=2) + self.draws.normal(size=self.shape)
        return rewards, rewards.mean(axis=1), self.draws.random(self.shape) < 0.1


class Grenade(World):
    """Two agents, one of whom can throw itself on a grenade at the first step, and dies of it.

    Being alive pays every agent `ease` a step. If somebody jumped, the team is paid `rescue` at the last step, when the
    one who earned it is long dead. One who stays alive earns `ease * steps` more for itself than one who jumps.
    """

    def __init__(self, steps: int = 4, ease: float = 1.0, rescue: float = 10.0) -> None:
        self.steps, self.ease, self.rescue = steps, ease, rescue
        members = tuple(AgentSpec(name, (3,), (2,)) for name in ("brave", "other"))
        self.spec = EnvironmentSpec("grenade", "grenade 1", members, steps, team_reward=True)

    def begin(self, generator: np.random.Generator) -> None:
        """Nobody has jumped."""
        self.saved = np.zeros(self.shape[0], np.bool_)

    def see(self) -> FloatArray:
        """Who one is, and whether it is time to jump."""
        seen = np.zeros((*self.shape, 3), np.float32)
        seen[:, 0, 0] = seen[:, 1, 1] = 1.0
        seen[:, :, 2] = self.now == 0
        return seen

    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """The brave may jump at the first step."""
        dies = np.zeros(self.shape, np.bool_)
        if self.now == 1:
            self.saved = actions[:, 0, 0] == 1
            dies[:, 0] = self.saved
        rewards = np.where(self.present & ~dies, self.ease, 0.0)
        dies |= self.now == self.steps  # not cut off: there is nothing more to come
        return rewards, self.rescue * (self.saved & (self.now == self.steps)), dies


class Departure(World):
    """Three agents who may leave for good, and a team that is paid for every step and more the fewer are left.

    An agent that chooses to go is gone, but the last one stays whatever it chooses, so that every episode lasts until
    the limit of time. The team is paid `sign * (1 + 0.1 gone)` a step: with a positive sign two leave at once at best
    (25 + 5 = 30 in 25 steps), with a negative one all stay (-25).
    """

    def __init__(self, steps: int = 25, sign: float = 1.0) -> None:
        self.steps, self.sign = steps, sign
        members = tuple(AgentSpec(f"agent_{number}", (2,), (2,)) for number in range(3))
        self.spec = EnvironmentSpec("departure", "departure 1", members, steps, team_reward=True)

    def begin(self, generator: np.random.Generator) -> None:
        """Everybody is there."""

    def see(self) -> FloatArray:
        """How many are left."""
        left = self.present.sum(axis=1)[:, None, None] / 3.0
        return np.concatenate([np.broadcast_to(left, (*self.shape, 1)), np.ones((*self.shape, 1))], axis=2).astype(
            np.float32
        )

    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """Those who choose to go leave, one after the other, while more than one is left."""
        goes = self.present & (actions[:, :, 0] == 1)
        left = self.present.sum(axis=1)
        goes &= np.cumsum(goes, axis=1) < left[:, None]
        gone = 3 - left + goes.sum(axis=1)
        return np.zeros(self.shape), self.sign * (1.0 + 0.1 * gone), goes


class Crowd(World):
    """Teams of one to `largest`, drawn anew for every episode; each member is to name the number that it is shown."""

    def __init__(self, largest: int = 4, steps: int = 5) -> None:
        self.steps = steps
        members = tuple(AgentSpec(f"agent_{number}", (3,), (3,)) for number in range(largest))
        self.spec = EnvironmentSpec("crowd", "crowd 1", members, steps, team_reward=True)

    def begin(self, generator: np.random.Generator) -> None:
        """Draw how many are there, and what they are shown."""
        episodes, largest = self.shape
        self.sizes = generator.integers(1, largest + 1, episodes)
        self.present = np.arange(largest) < self.sizes[:, None]
        self.shown = generator.integers(0, 3, (self.steps + 1, *self.shape))

    def see(self) -> FloatArray:
        """The number, one-hot."""
        seen: FloatArray = np.eye(3, dtype=np.float32)[self.shown[self.now]]
        return seen

    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """To name it right pays."""
        right = (actions[:, :, 0] == self.shown[self.now - 1]) & self.present
        return right.astype(float), right.sum(axis=1) / self.sizes, np.zeros(self.shape, np.bool_)


class Strangers(World):
    """N agents, each in a world of its own that no other can reach; `only` leaves one of them there, alone.

    Each walks on a line from a place of its own, and dies when it falls off an end. Its world's draws come from a
    stream of its own, so that it is the same whoever else there is.
    """

    def __init__(self, agents: int = 3, steps: int = 8, only: int | None = None) -> None:
        self.steps, self.numbers = steps, list(range(agents)) if only is None else [only]
        members = tuple(AgentSpec(f"agent_{number}", (2,), (3,)) for number in self.numbers)
        self.spec = EnvironmentSpec("strangers", "strangers 1", members, steps)

    def begin(self, generator: np.random.Generator) -> None:
        """Draw a seed for every world there could be; then each world draws for itself."""
        seeds = generator.integers(2**32, size=64)
        draws = [np.random.default_rng(seeds[number]) for number in self.numbers]
        self.place = np.stack([draw.integers(-1, 2, self.shape[0]) for draw in draws], axis=1)
        self.wind = np.stack([draw.normal(size=(self.steps, self.shape[0])) for draw in draws], axis=2)

    def see(self) -> FloatArray:
        """The place, and the time."""
        time = np.full(self.shape, self.now / self.steps)
        return np.stack([self.place, time], axis=2).astype(np.float32)

    def live(self, actions: ActionArray) -> tuple[NDArray[np.floating], NDArray[np.floating], BoolArray]:
        """Far to the right is good, and the edge is near."""
        self.place = self.place + actions[:, :, 0] - 1 + (self.wind[self.now - 1] > 1.0)
        return self.place.astype(float), np.zeros(self.shape[0]), np.abs(self.place) > 3
