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
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

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
from chorus.common.environments.spaces import (
    MASK_KEY,
    ActionCoder,
    ObservationCoder,
    action_coder,
    observation_coder,
    write_mask,
)
from chorus.common.errors import EnvironmentFault

TEAM_KEY = "team_reward"
SEEDS = 2**31  # seeds are drawn below this: every environment takes them

Construct = Callable[[bool], Any]


@dataclass(frozen=True)
class _Agent:
    """One agent and how to speak to it."""

    spec: AgentSpec
    who: str
    observation: ObservationCoder
    action: ActionCoder


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
        first = construct(render)
        pictures = str(getattr(first, "render_mode", "rgb_array")).startswith("rgb_array")
        self._render = render and pictures and hasattr(first, "render")
        self._singles = [first]
        self._agents = _meet(first, name)
        self._index = _Index(name, {agent.spec.name: i for i, agent in enumerate(self._agents)})
        has_team_reward, has_masks = self._probe(first)
        self._spec = EnvironmentSpec(
            name=name,
            package=package,
            agents=tuple(agent.spec for agent in self._agents),
            max_steps=max_steps(first) if max_steps else None,
            team_reward=has_team_reward,
            action_masks=has_masks,
        )
        self._names = [agent.spec.name for agent in self._agents]
        self._write = [agent.observation.write for agent in self._agents]
        self._read = [_reader(agent, self._spec.action_size) for agent in self._agents]
        self._slots: _Slots | None = None
        self._movers: list[list[int]] = []
        self._alive: list[set[int]] = []

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        return self._spec

    def _probe(self, first: Any) -> tuple[bool, bool]:
        """Play one step to see whether there are team rewards and action masks."""
        observed, infos = first.reset(seed=0)
        masks = {name: _mask_of(observed.get(name), infos.get(name)) for name in first.agents}
        has_masks = any(mask is not None for mask in masks.values())
        if any(TEAM_KEY in (info or ()) for info in infos.values()):
            return True, has_masks
        actions = {}
        for name in first.agents:
            if name in observed:
                coder = self._agents[self._index[name]].action
                actions[name] = coder.read(coder.allowed(masks[name]))
        infos = first.step(actions)[4]
        has_masks = has_masks or any(MASK_KEY in (info or ()) for info in infos.values())
        return any(TEAM_KEY in (info or ()) for info in infos.values()), has_masks

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Seed every single environment on its own, and the generators of the whole process with one seed more."""
        seeds = generator.integers(SEEDS, size=1 + episodes).tolist()
        while len(self._singles) < episodes:
            self._singles.append(self._another())
        if self._slots is None or self._slots.episodes != episodes:
            self._slots = _Slots(self._spec, episodes)
        slots = self._slots
        slots.clear()
        self._movers = [[] for _ in range(episodes)]
        self._alive = [set() for _ in range(episodes)]
        _seed_whole_process(seeds[0])
        for k in range(episodes):
            single = self._singles[k]
            observed, infos = single.reset(seed=seeds[1 + k])
            self._show(k, [self._index[name] for name in single.agents if name in observed], observed, infos)
        return slots.outcome.frame

    def _another(self) -> Any:
        single = self._construct(False)
        if any(single is other for other in self._singles):
            raise EnvironmentFault(
                f"environment {self._name!r}: it was made twice and is one and the same object; "
                "make a fresh one at every call"
            )
        return single

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
            try:
                observed, rewards, terminated, truncated, infos = single.step(
                    {names[i]: read[i](row[i]) for i in movers}
                )
            except EnvironmentFault:
                raise
            except Exception as error:
                error.add_note(f"raised by environment {self._name!r}, episode {k} of {slots.episodes}")
                raise
            gains = slots.gains[k]
            for name, gain in rewards.items():
                if gain and (i := index[name]) in alive:
                    gains[i] = gain
            if infos:
                self._credit_team(k, infos)
            left = single.agents
            ended: set[str] | None = None
            if True in terminated.values() or True in truncated.values():
                ended = {name for name in (*terminated, *truncated) if terminated.get(name) or truncated.get(name)}
                self._end_lives(k, ended, terminated, observed)
                left = [name for name in left if name not in ended]
            if left:
                self._show(k, [index[name] for name in left if name in observed], observed, infos)
            else:
                over[k] = True
                self._movers[k] = []
                slots.present[k] = False
                slots.over[k] = True
        return slots.outcome

    def _show(self, k: int, movers: list[int], observed: Mapping[str, Any], infos: Mapping[str, Any]) -> None:
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
                mask = _mask_of(observed[names[i]], infos.get(names[i]))
                if mask is None:
                    slots.mask_rows[k][i][:] = True
                else:
                    write_mask(mask, slots.mask_rows[k][i], self._agents[i].who)

    def _end_lives(self, k: int, ended: set[str], terminated: Mapping[str, bool], observed: Mapping[str, Any]) -> None:
        """End the lives of those who are alive, and keep what a truncated one saw last."""
        slots, alive = self._slots, self._alive[k]
        assert slots is not None
        for name in ended:
            i = self._index[name]
            if i not in alive:
                continue
            alive.discard(i)
            if terminated.get(name):
                slots.terminated[k, i] = True
                continue
            slots.truncated[k, i] = True
            if observed.get(name) is not None:
                self._write[i](observed[name], slots.rows[k][i])

    def _credit_team(self, k: int, infos: Mapping[str, Any]) -> None:
        """Take the team reward from the first info that has one."""
        for info in infos.values():
            if info and TEAM_KEY in info:
                if not self._spec.team_reward:
                    raise EnvironmentFault(
                        f"environment {self._name!r}: info[{TEAM_KEY!r}] appeared in mid-episode but not at the first "
                        "step; give it at every step, 0 where there is none"
                    )
                assert self._slots is not None
                self._slots.team_gains[k] = info[TEAM_KEY]
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
        for single in self._singles:
            single.close()
        self._singles = []


class _Slots:
    """The arrays over (episode, agent) that every step fills anew."""

    def __init__(self, spec: EnvironmentSpec, episodes: int) -> None:
        shape = (episodes, len(spec.agents))
        self.episodes = episodes
        self.observations: FloatArray = np.zeros((*shape, spec.observation_size), np.float32)
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
        self.observations.fill(0.0)
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


class _Index(dict[str, int]):
    """Number of each agent, by name."""

    def __init__(self, environment: str, numbers: Mapping[str, int]) -> None:
        super().__init__(numbers)
        self._environment = environment

    def __missing__(self, name: str) -> NoReturn:
        raise EnvironmentFault(
            f"environment {self._environment!r}: agent {name!r} appeared, which is not among possible_agents "
            f"({', '.join(self)}); list there every agent that can ever appear"
        )


def _meet(single: Any, environment: str) -> tuple[_Agent, ...]:
    """All the agents of a single environment."""
    names = list(getattr(single, "possible_agents", None) or ())
    if not names:
        raise EnvironmentFault(
            f"environment {environment!r}: it has no possible_agents; list there every agent that can ever appear"
        )
    agents = []
    for name in names:
        who = f"environment {environment!r}, agent {name!r}"
        seen = observation_coder(single.observation_space(name), who)
        done = action_coder(single.action_space(name), who)
        agents.append(_Agent(AgentSpec(str(name), seen.shape, done.choices, done.bounds), who, seen, done))
    discrete = [agent.spec.name for agent in agents if agent.spec.choices]
    continuous = [agent.spec.name for agent in agents if agent.spec.bounds]
    if discrete and continuous:
        raise EnvironmentFault(
            f"environment {environment!r}: agent {discrete[0]!r} acts discretely and {continuous[0]!r} continuously; "
            "wrap it so that all agents act in one of the two ways"
        )
    return tuple(agents)


def _reader(agent: _Agent, action_size: int) -> Callable[[Any], Any]:
    """What makes an action of a row of `action_size` components, some of which may be padding."""
    read, size = agent.action.read, agent.spec.action_size
    if size == action_size or (size == 1 and agent.spec.choices):
        return read
    return lambda row: read(row[:size])


def _mask_of(observation: Any, info: Any) -> Any:
    """The action mask beside an observation, or in its info; None if there is none."""
    if isinstance(observation, Mapping) and MASK_KEY in observation:
        return observation[MASK_KEY]
    return info.get(MASK_KEY) if info else None


def _seed_whole_process(seed: int) -> None:
    """Seed what some environments draw from instead of from their own generator, so that they too repeat themselves."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the very generator that those environments use
