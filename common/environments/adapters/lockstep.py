"""K single environments stepped one after another as one: how every environment that is not vectorised gets in.

A single environment speaks PettingZoo's parallel API (`agents`, `possible_agents`, `reset(seed)`, `step(actions)`, all
by agent name); adapters to other APIs dress theirs up as that. What is read from it:

- an agent is present if it is in `agents` and was given an observation; in a game played in turns only the one to move
  is given one, and the others, still in `agents`, keep their life;
- a life ends when `terminated` or `truncated` says so; an agent that is in `agents` again later begins a new one;
- an episode is over when nobody is left in `agents` (or all that are left have just ended: some never clear the list);
- `info["team_reward"]` of any agent is the team reward; `action_mask` is taken from the observation or from `info`.

The loops below are plain Python on purpose: they run once for every agent and step, beside an environment that is
itself plain Python, and every call saved counts.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments import progress
from chorus.common.environments.adapters.answers import (
    PLAIN_NUMBERS,
    begun,
    by_agent,
    flag,
    info_of,
    number,
    stepped,
)
from chorus.common.environments.adapters.roster import Member, Numbers, meet
from chorus.common.environments.adapters.slots import Slots
from chorus.common.environments.interface import ActionArray, EnvironmentSpec, FloatArray, Frame, Outcome
from chorus.common.environments.spaces import MASK_KEY, write_mask
from chorus.common.environments.user_errors import blame
from chorus.common.errors import EnvironmentFault

TEAM_KEY = "team_reward"
SEEDS = 2**31  # seeds are drawn below this: every environment takes them

Construct = Callable[[bool], Any]

_NO, _YES = np.bool_(False), np.bool_(True)


class Lockstep:
    """K single environments as one `chorus.common.environments.interface.Environment`."""

    def __init__(
        self,
        construct: Construct,
        *,
        name: str,
        package: str,
        max_steps: Callable[[Any], int | None] | None = None,
        render: bool = False,
    ) -> None:
        """Make the first single environment and find out all about it.

        Args:
            construct: makes a fresh single environment; told whether it will be asked for pictures.
            name: the spec string.
            package: distribution and version of the dynamics.
            max_steps: tells of a single environment how long its episodes can become; None where nobody knows.
            render: whether the first environment will be asked for pictures.
        """
        self._construct = construct
        self._name = name
        self._who = f"environment {name!r}"
        self._singles: list[Any] = []
        self._make_one(render)
        try:
            self._spec = self._examine(self._singles[0], name, package, max_steps, render)
        except BaseException:
            self.close()
            raise
        self._names = [agent.name for agent in self._agents]
        self._write = [agent.observation.write for agent in self._agents]
        self._read = [agent.reader(self._spec.action_size) for agent in self._agents]
        self._slots: Slots | None = None
        self._movers: list[list[int]] = []
        self._alive: list[set[int]] = []

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        return self._spec

    @property
    def promises(self) -> list[tuple[FloatArray, FloatArray] | None]:
        """For every agent what its space says of the least and the greatest numbers of its row; None for nothing."""
        coders = [agent.observation for agent in self._agents]
        return [None if coder.low is None or coder.high is None else (coder.low, coder.high) for coder in coders]

    def _examine(
        self, first: Any, name: str, package: str, max_steps: Callable[[Any], int | None] | None, render: bool
    ) -> EnvironmentSpec:
        """Find out all about the environment by its first instance."""
        pictures = str(getattr(first, "render_mode", "rgb_array")).startswith("rgb_array")
        self._render = render and pictures and hasattr(first, "render")
        self._agents: tuple[Member, ...] = meet(first, name)
        self._index = Numbers(name, {agent.name: i for i, agent in enumerate(self._agents)})
        has_team_reward, has_masks = self._probe(first)
        return EnvironmentSpec(
            name=name,
            package=package,
            agents=tuple(agent.spec for agent in self._agents),
            max_steps=max_steps(first) if max_steps else None,
            team_reward=has_team_reward,
            action_masks=has_masks,
            instances=_most_at_once(first),
        )

    def _probe(self, first: Any) -> tuple[bool, bool]:
        """Play one step to see whether there are team rewards and action masks."""
        observed, infos = begun(first.reset(seed=0), self._who)
        masks = {name: self._mask_of(observed.get(name), infos, name) for name in first.agents}
        has_masks = any(mask is not None for mask in masks.values())
        if _anybody_has(TEAM_KEY, infos):
            return True, has_masks
        actions = {}
        for name in first.agents:
            if name in observed:
                coder = self._agents[self._index[name]].action
                actions[name] = coder.read(coder.allowed(masks[name]))
        infos = stepped(first.step(actions), self._who)[4]
        has_masks = has_masks or _anybody_has(MASK_KEY, infos)
        return _anybody_has(TEAM_KEY, infos), has_masks

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Seed every single environment on its own, and the generators of the whole process with one seed more."""
        seeds = generator.integers(SEEDS, size=1 + episodes).tolist()
        while len(self._singles) < episodes:
            progress.tell(f"making instance {len(self._singles) + 1} of {episodes}, {self._seconds:.1f} s each")
            self._make_one(False)
        if self._slots is None or self._slots.episodes != episodes:
            self._slots = Slots(self._spec, episodes)
        slots = self._slots
        slots.clear()
        self._movers = [[] for _ in range(episodes)]
        self._alive = [set() for _ in range(episodes)]
        seed_whole_process(seeds[0])
        for k in range(episodes):
            single = self._singles[k]
            try:
                results = single.reset(seed=seeds[1 + k])
            except BaseException as error:
                fault = blame(error, f"{self._who}, reset of episode {k} of {episodes}")
                raise fault from fault.__cause__
            observed, infos = begun(results, self._who)
            self._show(k, [self._index[name] for name in single.agents if name in observed], observed, infos)
        return slots.outcome.frame

    def _make_one(self, render: bool) -> None:
        began = time.monotonic()
        single = self._construct(render)
        self._seconds = time.monotonic() - began
        if any(single is other for other in self._singles):
            raise EnvironmentFault(
                f"environment {self._name!r}: it was made twice and is one and the same object; "
                "make a fresh one at every call"
            )
        self._singles.append(single)

    def step(self, actions: ActionArray) -> Outcome:
        """Step every single environment whose episode is not over."""
        slots = self._slots
        if slots is None:
            raise EnvironmentFault(f"environment {self._name!r}: step before reset; call reset first")
        slots.forget_step()
        rows: Any = actions.tolist() if self._spec.discrete else actions
        names, read, index, over = self._names, self._read, self._index, slots.over_now
        for k in range(slots.episodes):
            if over[k]:
                continue
            single, movers, alive, row = self._singles[k], self._movers[k], self._alive[k], rows[k]
            told = {names[i]: read[i](row[i]) for i in movers}
            acted = told.keys()
            try:
                results = single.step(told)
            except BaseException as error:
                fault = blame(error, f"{self._who}, episode {k} of {slots.episodes}")
                raise fault from fault.__cause__
            observed, rewards, terminated, truncated, infos = stepped(results, self._who)
            if not (acted <= rewards.keys() and acted <= terminated.keys() and acted <= truncated.keys()):
                raise self._forgotten(acted, rewards, terminated, truncated)
            gains = slots.gains[k]
            for name, gain in rewards.items():
                if type(gain) not in PLAIN_NUMBERS:
                    gain = number(gain, f"{self._who}, agent {name!r}", "its reward")
                if gain and (i := index[name]) in alive:
                    gains[i] = gain
            if infos:
                self._credit_team(k, infos)
            left = single.agents
            died = self._flagged(terminated, "terminated")
            ended = died | self._flagged(truncated, "truncated")
            if ended:
                self._end_lives(k, ended, died, observed)
                left = [name for name in left if name not in ended]
            if left:
                self._show(k, [index[name] for name in left if name in observed], observed, infos)
            else:
                over[k] = True
                self._movers[k] = []
                slots.present[k] = False
                slots.over[k] = True
        return slots.outcome

    def _show(self, k: int, movers: list[int], observed: Mapping[Any, Any], infos: Mapping[Any, Any]) -> None:
        """Put what the agents of episode `k` see into the frame."""
        slots, names, write = self._slots, self._names, self._write
        assert slots is not None
        rows = slots.rows[k]
        for i in movers:
            write[i](observed[names[i]], rows[i])
        if movers != self._movers[k]:
            self._movers[k] = movers
            present = slots.present[k]
            present[:] = False
            present[movers] = True
            self._alive[k].update(movers)
        if slots.masks is not None:
            for i in movers:
                mask = self._mask_of(observed[names[i]], infos, names[i])
                if mask is None:
                    slots.mask_rows[k][i][:] = True
                else:
                    write_mask(mask, slots.mask_rows[k][i], self._agents[i].who)

    def _forgotten(self, acted: Any, *told: Mapping[Any, Any]) -> EnvironmentFault:
        """The fault of an environment that says nothing of an agent which acted."""
        for field, values in zip(("rewards", "terminations", "truncations"), told, strict=True):
            for name in acted - values.keys():
                return EnvironmentFault(
                    f"{self._who}, agent {name!r}: it acted, but has no entry in the {field} of that step; give one "
                    "for every agent that acted"
                )
        raise AssertionError("nobody was forgotten")

    def _flagged(self, flags: Mapping[Any, Any], field: str) -> set[Hashable]:
        """Whose flag is set."""
        found = set()
        for name, value in flags.items():
            if value is False or value is _NO:
                continue
            if value is True or value is _YES or flag(value, f"{self._who}, agent {name!r}", field):
                found.add(name)
        return found

    def _mask_of(self, observation: Any, infos: Mapping[Any, Any], name: Hashable) -> Any:
        """The action mask beside an observation, or in its info; None if there is none."""
        if isinstance(observation, Mapping) and MASK_KEY in observation:
            return observation[MASK_KEY]
        return info_of(infos, name, self._who).get(MASK_KEY)

    def _end_lives(self, k: int, ended: set[Hashable], died: set[Hashable], observed: Mapping[Any, Any]) -> None:
        """End the lives of those who are alive, and keep what a truncated one saw last."""
        slots, alive = self._slots, self._alive[k]
        assert slots is not None
        for name in ended:
            i = self._index[name]
            if i not in alive:
                continue
            alive.discard(i)
            if name in died:
                slots.terminated[k, i] = True
                continue
            slots.truncated[k, i] = True
            if observed.get(name) is not None:
                self._write[i](observed[name], slots.rows[k][i])

    def _credit_team(self, k: int, infos: Mapping[Any, Any]) -> None:
        """Take the team reward from the first info that has one."""
        for name, info in infos.items():
            if info and TEAM_KEY in by_agent(info, f"{self._who}, agent {name!r}", "its info"):
                if not self._spec.team_reward:
                    raise EnvironmentFault(
                        f"environment {self._name!r}: info[{TEAM_KEY!r}] appeared in mid-episode but not at the first "
                        "step; give it at every step, 0 where there is none"
                    )
                assert self._slots is not None
                gain = info[TEAM_KEY]
                who = f"{self._who}, agent {name!r}"
                plain = type(gain) in PLAIN_NUMBERS
                self._slots.team_gains[k] = gain if plain else number(gain, who, f"info[{TEAM_KEY!r}]")
                return

    def render(self) -> NDArray[np.uint8] | None:
        """The first episode, if the environment can draw and was told that it would have to."""
        if not self._render:
            return None
        try:
            picture = self._singles[0].render()
        except Exception as error:
            self._render = False
            warnings.warn(
                f"environment {self._name!r} cannot draw here, so there are no pictures: {error}", stacklevel=2
            )
            return None
        if isinstance(picture, list):  # some gather pictures until they are asked for
            picture = picture[-1] if picture else None
        return None if picture is None else np.array(picture, np.uint8)[..., :3]

    def close(self) -> None:
        """Close every single environment."""
        singles, self._singles = self._singles, []
        faults: list[BaseException] = []
        for single in singles:
            try:
                close = getattr(single, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                faults.append(blame(error, f"{self._who}, close"))
        if faults:
            raise faults[0]


def _anybody_has(key: str, infos: Mapping[Any, Any]) -> bool:
    return any(isinstance(info, Mapping) and key in info for info in infos.values())


def _most_at_once(single: Any) -> int | None:
    """How many instances may live at once, by the environment's own attribute `max_instances`."""
    for holder in (single, getattr(single, "unwrapped", None)):
        limit = getattr(holder, "max_instances", None)
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit
    return None


def seed_whole_process(seed: int) -> None:
    """Seed what some environments draw from instead of from their own generator, so that they too repeat themselves."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the very generator that those environments use
