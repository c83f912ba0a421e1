"""JaxMARL, K episodes at once on the processor: `jaxmarl:MPE_simple_spread_v3`, `jaxmarl:HeuristicEnemySMAX`.

Settings are those of `jaxmarl.make`. The functions of an environment are compiled for so many episodes side by side as
`width` says, when a width is played first: K is filled up by episodes that nobody looks at, so that the short proof
before the first task and the tasks themselves mostly share what was compiled. XLA is told before it is loaded to use
one thread, and the kernels that every machine with AVX2 has.

An agent that is done while its episode goes on is dead, and absent from then on. JaxMARL does not tell time limits from
ends: what is over at the step that its `max_steps` names, or at the next (some count from zero), counts as cut off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.address import Address, nearest
from chorus.common.environments.interface import (
    ActionArray,
    AgentSpec,
    BoolArray,
    EnvironmentSpec,
    FloatArray,
    Frame,
    Outcome,
)
from chorus.common.environments.packages import load, provenance
from chorus.common.errors import EnvironmentFault
from chorus.common.process.redirection import to_standard_error

FLAGS = "--xla_cpu_max_isa=AVX2 --xla_cpu_multi_thread_eigen=false"
NARROWEST = 16
_EVERYBODY = "__all__"
_SEEDS = 2**31


def make(address: Address, render: bool) -> JaxMarl:
    """One JaxMARL environment; it has no pictures."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS}".strip()
    os.environ["JAX_PLATFORMS"] = "cpu"
    with to_standard_error():  # it prints while it is imported, and that is no command's answer
        jax, library = load("jax", address.spec), load("jaxmarl", address.spec)
    if address.target not in library.registered_envs:
        raise EnvironmentFault(
            f"environment {address.spec!r}: JaxMARL knows no {address.target!r};"
            f" {nearest(address.target, library.registered_envs)}"
        )
    try:
        environment = library.make(address.target, **address.settings)
    except TypeError as error:
        raise EnvironmentFault(
            f"environment {address.spec!r}: it refuses its settings: {error}; its own documentation lists those that it"
            " takes"
        ) from error
    return JaxMarl(jax, environment, address.spec)


class JaxMarl:
    """K episodes of one environment, as `chorus.common.environments.interface.Environment` has it."""

    def __init__(self, jax: Any, environment: Any, name: str) -> None:
        self._jax = jax
        self._names = list(environment.agents)
        self._begin = jax.jit(lambda keys: _plain(jax, jax.vmap(environment.reset)(keys)))
        self._advance = jax.jit(lambda *given: _plain(jax, jax.vmap(environment.step_env)(*given)))
        self._split: Any = jax.jit(lambda keys: jax.vmap(jax.random.split, out_axes=1)(keys))
        seen, states = jax.eval_shape(environment.reset, jax.random.PRNGKey(0))
        self._allowed = jax.jit(jax.vmap(environment.get_avail_actions))
        try:
            jax.eval_shape(environment.get_avail_actions, states)
        except NotImplementedError:
            self._allowed = None  # so JaxMARL's base class says that all is allowed
        limit = getattr(environment, "max_steps", None)
        self._limit = int(limit) if isinstance(limit, int) and limit > 0 else None
        self._spec = EnvironmentSpec(
            name=name,
            package=provenance("jaxmarl"),
            agents=tuple(_agent(agent, seen[agent].shape, environment, name) for agent in self._names),
            max_steps=None if self._limit is None else self._limit + 1,
            action_masks=self._allowed is not None,
        )
        self._keys: Any = None
        self._states: Any = None
        self._alive: BoolArray = np.zeros((0, 0), np.bool_)
        self._step = 0

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        return self._spec

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin fresh episodes, all of whose randomness comes from one draw of the generator."""
        key = self._jax.random.PRNGKey(int(generator.integers(_SEEDS)))
        keys = np.asarray(self._jax.random.split(key, episodes))
        filled = np.zeros((width(episodes), *keys.shape[1:]), keys.dtype)
        filled[:episodes] = keys
        self._keys, begin = self._split(filled)
        seen, self._states = self._begin(begin)
        self._alive = np.ones((episodes, len(self._names)), np.bool_)
        self._step = 0
        return self._frame(seen)

    def step(self, actions: ActionArray) -> Outcome:
        """Step all episodes; those that are over go on unseen."""
        self._step += 1
        before = self._alive
        self._keys, now = self._split(self._keys)
        chosen = {}
        for number, (name, agent) in enumerate(zip(self._names, self._spec.agents, strict=True)):
            own = np.zeros((len(now), agent.action_size), actions.dtype)
            own[: len(before)] = actions[:, number, : agent.action_size]
            chosen[name] = own[:, 0] if agent.choices else own
        seen, self._states, paid, done, _ = self._advance(now, self._states, chosen)
        playing: BoolArray = np.logical_or.reduce(before, axis=1)
        over: BoolArray = np.logical_or(np.asarray(done[_EVERYBODY])[: len(before)], np.logical_not(playing))
        ended = before & (self._by_agent(done).astype(np.bool_) | over[:, None])
        cut = ended & over[:, None] & (self._limit is not None and self._step >= self._limit)
        self._alive = before & ~ended
        over = np.logical_not(self._alive.any(axis=1))
        rewards = np.where(playing[:, None], self._by_agent(paid), 0.0).astype(np.float32)
        frame = self._frame(seen)
        team = np.zeros(len(over), np.float32)
        return Outcome(rewards, team, ended & ~cut, cut, over, frame)

    def _by_agent(self, values: Mapping[str, Any]) -> NDArray[Any]:
        """`[episode, agent]` of one array for each agent."""
        episodes = len(self._alive)
        return np.stack([np.asarray(values[name])[:episodes].reshape(episodes) for name in self._names], axis=1)

    def _frame(self, seen: Mapping[str, Any]) -> Frame:
        episodes, agents = self._alive.shape
        observations: FloatArray = np.zeros((episodes, agents, self._spec.observation_size), np.float32)
        for number, name in enumerate(self._names):
            own = np.asarray(seen[name], np.float32)[:episodes].reshape(episodes, -1)
            observations[:, number, : own.shape[1]] = own
        observations[~self._alive] = 0.0
        if self._allowed is None:
            return Frame(observations, self._alive)
        mask = np.zeros((episodes, agents, self._spec.choice_size), np.bool_)
        allowed = self._allowed(self._states)
        for number, name in enumerate(self._names):
            may = np.asarray(allowed[name], np.bool_)[:episodes]
            mask[:, number, : may.shape[1]] = may
        return Frame(observations, self._alive, mask)

    def render(self) -> None:
        """JaxMARL draws whole episodes afterwards, not the present state."""
        return

    def close(self) -> None:
        """Let the compiled functions go."""
        self._states = self._keys = None


def width(episodes: int) -> int:
    """How many episodes are computed where K are played: the next power of two, at least `NARROWEST`."""
    return max(NARROWEST, 1 << (episodes - 1).bit_length())


def _plain(jax: Any, results: Any) -> Any:
    """Results without JAX's weak types: a state that has one at the beginning and none later is compiled for twice."""
    return jax.tree.map(lambda leaf: leaf.astype(leaf.dtype), results)


def _agent(agent: str, shape: tuple[int, ...], environment: Any, name: str) -> AgentSpec:
    """What an agent sees and does, by its spaces."""
    space = environment.action_space(agent)
    if hasattr(space, "n"):
        return AgentSpec(agent, shape, (int(space.n),))
    if hasattr(space, "low") and len(space.shape) == 1:
        low, high = (np.broadcast_to(np.asarray(side, np.float64), space.shape) for side in (space.low, space.high))
        return AgentSpec(agent, shape, bounds=tuple(zip(low.tolist(), high.tolist(), strict=True)))
    raise EnvironmentFault(
        f"environment {name!r}, {agent}: actions are {type(space).__name__}; Chorus plays Discrete ones and Box ones of"
        " one dimension"
    )
