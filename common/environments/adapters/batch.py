"""K episodes of one agent that a library steps at once, by Gymnasium's vector API: `gymnasium.vector` and EnvPool.

Such libraries begin an episode again by themselves where one is over. A task is made of whole episodes, so what follows
the end of an episode is neither shown nor counted here; all K begin anew, by seeds of the task, at the next `reset`.
What is done with the seeds is `lockstep`'s doing too, so that episodes are those that `gymnasium:` plays one by one
where the library gives each its own seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.adapters.lockstep import SEEDS, TEAM_KEY, seed_whole_process
from chorus.common.environments.adapters.slots import Slots
from chorus.common.environments.interface import ActionArray, AgentSpec, EnvironmentSpec, Frame, Outcome
from chorus.common.environments.spaces import MASK_KEY, action_coder, observation_coder, write_mask
from chorus.common.environments.user_errors import blame
from chorus.common.errors import EnvironmentFault

AGENT = "agent_0"
"""The name that the one agent has in `gymnasium:` too."""


class Pool(Protocol):
    """What is asked of a library: K episodes of one agent."""

    observation_space: Any
    """Of one episode."""

    action_space: Any
    """Of one episode."""

    def begin(self, seeds: list[int]) -> tuple[Iterable[Any], Mapping[str, Any]]:
        """Begin one episode for each seed; the observations by episode, and what else is told of them."""
        ...

    def step(self, actions: list[Any]) -> tuple[Iterable[Any], Any, Any, Any, Mapping[str, Any]]:
        """Step all: observations by episode, rewards, terminated, truncated `[episode]`, and what else is told."""
        ...

    def render(self) -> Any:
        """The first episode as a picture; None if it cannot be drawn."""
        ...

    def close(self) -> None:
        """Release what the library holds."""
        ...


class Batch:
    """One pool as `chorus.common.environments.interface.Environment` has it."""

    def __init__(self, construct: Callable[[int], Pool], *, name: str, package: str, max_steps: int | None) -> None:
        """Make a pool of one episode and find out all about it.

        Args:
            construct: makes a pool of K episodes.
            name: the spec string.
            package: distribution and version of the dynamics.
            max_steps: how long an episode can become; None where nobody knows.
        """
        self._construct = construct
        self._who = f"environment {name!r}"
        self._pool = construct(1)
        try:
            who = f"{self._who}, agent {AGENT!r}"
            self._seen = observation_coder(self._pool.observation_space, who)
            self._done = action_coder(self._pool.action_space, who)
            _, told = self._pool.begin([0])
            if TEAM_KEY in told:
                raise EnvironmentFault(
                    f"{self._who}: its info has a {TEAM_KEY!r}, which is not read of vectorised environments; play it"
                    " as gymnasium:NAME"
                )
            agent = AgentSpec(AGENT, self._seen.shape, self._done.choices, self._done.bounds, self._seen.raw)
            self._spec = EnvironmentSpec(name, package, (agent,), max_steps, action_masks=MASK_KEY in told)
        except BaseException:
            self.close()
            raise
        self._episodes = 1
        self._slots: Slots | None = None

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        return self._spec

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin K episodes, each by a seed of its own, as `lockstep` does."""
        seeds = generator.integers(SEEDS, size=1 + episodes).tolist()
        if episodes != self._episodes:
            self._pool.close()
            self._pool = self._construct(episodes)
            self._episodes = episodes
        if self._slots is None or self._slots.episodes != episodes:
            self._slots = Slots(self._spec, episodes)
        self._slots.clear()
        seed_whole_process(seeds[0])
        try:
            observed, told = self._pool.begin(seeds[1:])
        except BaseException as error:
            fault = blame(error, f"{self._who}, reset of {episodes} episodes")
            raise fault from fault.__cause__
        self._slots.present[:] = True
        self._show(self._slots, observed, told, [True] * episodes)
        return self._slots.outcome.frame

    def step(self, actions: ActionArray) -> Outcome:
        """Step all episodes; those that are over go on unseen."""
        slots = self._slots
        if slots is None:
            raise EnvironmentFault(f"{self._who}: step before reset; call reset first")
        rows = actions[:, 0].tolist() if self._done.choices else actions[:, 0]
        read = self._done.read
        try:
            observed, rewards, terminated, truncated, told = self._pool.step([read(row) for row in rows])
        except BaseException as error:
            fault = blame(error, f"{self._who}, step of {slots.episodes} episodes")
            raise fault from fault.__cause__
        playing = ~slots.over
        died = self._by_episode(terminated, "terminated").astype(np.bool_) & playing
        cut = self._by_episode(truncated, "truncated").astype(np.bool_) & playing & ~died
        slots.gains[:, 0] = np.where(playing, self._by_episode(rewards, "rewards"), 0.0)
        slots.terminated[:, 0], slots.truncated[:, 0] = died, cut
        slots.over |= died | cut
        slots.present[:, 0] = ~slots.over
        self._show(slots, observed, told, (playing & ~died).tolist())
        return slots.outcome

    def _by_episode(self, values: Any, field: str) -> NDArray[Any]:
        array = np.asarray(values)
        if array.shape != (self._episodes,):
            raise EnvironmentFault(
                f"{self._who}: {field} have the shape {list(array.shape)} for {self._episodes} episodes; give one for"
                " each episode"
            )
        return array

    def _show(self, slots: Slots, observed: Iterable[Any], told: Mapping[str, Any], shown: list[bool]) -> None:
        """Put what is seen into the frame, of the episodes that go on and of those that a time limit has just ended."""
        masks = told.get(MASK_KEY) if self._spec.action_masks else None
        for k, seen in enumerate(observed):
            if not shown[k]:
                continue
            self._seen.write(seen, slots.rows[k][0])
            if slots.masks is not None and slots.present[k, 0]:
                mask = slots.mask_rows[k][0]
                if masks is None:
                    mask[:] = True
                else:
                    write_mask(masks[k], mask, f"{self._who}, agent {AGENT!r}")

    def render(self) -> NDArray[np.uint8] | None:
        """The first episode, where the library can draw it."""
        try:
            picture = self._pool.render()
        except Exception as error:
            warnings.warn(f"{self._who} cannot draw here, so there are no pictures: {error}", stacklevel=2)
            return None
        return None if picture is None else np.array(picture, np.uint8)[..., :3]

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()
