"""VMAS, which steps K episodes at once itself: `vmas:navigation?n_agents=3`, `vmas:balance?continuous_actions=false`.

VMAS is under the GPL, an extra that nothing else in Chorus imports. Settings are those of `vmas.make_env` and of the
scenario. Episodes end after 100 steps unless `max_steps` says otherwise (VMAS itself would let them go on for ever).

VMAS draws from one random state for the whole process, which every reset here seeds. It runs in torch's inference mode,
where an operation costs an eighth less: nobody asks for gradients through the simulation here.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments.address import Address, Value, nearest
from chorus.common.environments.interface import ActionArray, AgentSpec, EnvironmentSpec, FloatArray, Frame, Outcome
from chorus.common.environments.packages import load, provenance
from chorus.common.environments.spaces import action_coder
from chorus.common.errors import EnvironmentFault

DEFAULT_STEPS = 100
_OURS = {
    *("scenario", "num_envs", "device", "wrapper", "wrapper_kwargs", "seed", "dict_spaces", "grad_enabled"),
    *("terminated_truncated", "clamp_actions", "kwargs"),
}
_SEEDS = 2**31
_PICTURES = "rgb_array"


def make(address: Address, render: bool) -> Vmas:
    """One VMAS scenario."""
    torch = load("torch", address.spec)
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = load("vmas", address.spec)
    _check(address, library)
    with torch.inference_mode():
        return Vmas(torch, library, address, render)


class Vmas:
    """K episodes of one scenario, as `chorus.common.environments.interface.Environment` has it."""

    def __init__(self, torch: Any, library: Any, address: Address, render: bool) -> None:
        self._torch = torch
        self._library = library
        self._address = address
        self._render = render
        self._settings: dict[str, Value] = {"max_steps": DEFAULT_STEPS} | dict(address.settings)
        self._simulation = self._simulate(1)
        agents = []
        observations = self._simulation.reset(seed=0)
        for agent, seen, space in zip(
            self._simulation.agents, observations, self._simulation.action_space.spaces, strict=True
        ):
            coder = action_coder(space, f"environment {address.spec!r}, agent {agent.name!r}")
            shape = (_flat(seen, 1).shape[1],) if isinstance(seen, Mapping) else tuple(seen.shape[1:])
            agents.append(AgentSpec(agent.name, shape, coder.choices, coder.bounds))
        limit = self._settings["max_steps"]
        self._spec = EnvironmentSpec(
            name=address.spec,
            package=provenance("vmas"),
            agents=tuple(agents),
            max_steps=limit if isinstance(limit, int) else None,
        )
        self._slots: _Slots | None = None

    @property
    def spec(self) -> EnvironmentSpec:
        """What stays the same over all episodes."""
        return self._spec

    def _simulate(self, episodes: int) -> Any:
        """A fresh simulation of K episodes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._library.make_env(
                self._address.target,
                num_envs=episodes,
                device="cpu",
                seed=0,
                clamp_actions=True,
                terminated_truncated=True,
                **self._settings,
            )

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin K episodes; VMAS's own random state is seeded for all of them."""
        seed = int(generator.integers(_SEEDS))
        with self._torch.inference_mode():
            if self._slots is None or self._slots.episodes != episodes:
                self._simulation = self._simulate(episodes)
                self._slots = _Slots(self._spec, episodes)
            observed = self._simulation.reset(seed=seed)
        slots = self._slots
        slots.over[:] = False
        slots.present[:] = True
        self._see(observed)
        return slots.outcome.frame

    def step(self, actions: ActionArray) -> Outcome:
        """Step the simulation; what goes on in episodes that are over counts no more."""
        slots = self._slots
        if slots is None:
            raise EnvironmentFault(f"environment {self._spec.name!r}: step before reset; call reset first")
        with self._torch.inference_mode():
            moves = [
                self._torch.from_numpy(np.ascontiguousarray(actions[:, i, : agent.action_size]))
                for i, agent in enumerate(self._spec.agents)
            ]
            observed, rewards, terminated, truncated, _ = self._simulation.step(moves)
        running = ~slots.over
        for i, reward in enumerate(rewards):
            slots.rewards[:, i] = reward.reshape(-1).numpy()
        slots.rewards[slots.over] = 0.0
        died, cut = terminated.reshape(-1).numpy() & running, truncated.reshape(-1).numpy() & running
        slots.terminated[:] = died[:, None]
        slots.truncated[:] = (cut & ~died)[:, None]
        gone = slots.over.copy()
        slots.over |= died | cut
        slots.present[:] = ~slots.over[:, None]
        self._see(observed)
        slots.observations[gone] = 0.0
        return slots.outcome

    def _see(self, observed: list[Any]) -> None:
        slots = self._slots
        assert slots is not None
        for i, seen in enumerate(observed):
            flat = _flat(seen, slots.episodes)
            slots.observations[:, i, : flat.shape[1]] = flat

    def render(self) -> NDArray[np.uint8] | None:
        """The first episode, where there is a screen to draw on."""
        if not self._render or self._slots is None:
            return None
        try:
            with self._torch.inference_mode():
                picture = self._simulation.render(mode=_PICTURES, env_index=0)
        except Exception as error:
            self._render = False
            warnings.warn(f"environment {self._spec.name!r} cannot draw here: {error}", stacklevel=2)
            return None
        return None if picture is None else np.array(picture, np.uint8)[..., :3]

    def close(self) -> None:
        """Nothing is held."""


class _Slots:
    """The arrays over (episode, agent) that every step fills anew."""

    def __init__(self, spec: EnvironmentSpec, episodes: int) -> None:
        shape = (episodes, len(spec.agents))
        self.episodes = episodes
        self.observations = np.zeros((*shape, spec.observation_size), np.float32)
        self.present = np.zeros(shape, np.bool_)
        self.rewards = np.zeros(shape, np.float32)
        self.terminated = np.zeros(shape, np.bool_)
        self.truncated = np.zeros(shape, np.bool_)
        self.over = np.zeros(episodes, np.bool_)
        self.outcome = Outcome(
            rewards=self.rewards,
            team_rewards=np.zeros(episodes, np.float32),
            terminated=self.terminated,
            truncated=self.truncated,
            over=self.over,
            frame=Frame(self.observations, self.present),
        )


def _flat(seen: Any, episodes: int) -> FloatArray:
    """One agent's observations `[episode, observation]`; the parts of a dictionary one after the other."""
    if isinstance(seen, Mapping):
        return np.concatenate([_flat(part, episodes) for part in seen.values()], axis=1)
    array: FloatArray = seen.reshape(episodes, -1).numpy()
    return array


def _check(address: Address, library: Any) -> None:
    """Refuse a scenario or a setting that VMAS does not have."""
    folder = Path(library.__file__).parent / "scenarios"
    names = {file.stem for file in folder.rglob("*.py") if file.stem != "__init__"}
    if address.target not in names:
        raise EnvironmentFault(
            f"environment {address.spec!r}: VMAS has no scenario {address.target!r}; {nearest(address.target, names)}"
        )
    source = next(folder.rglob(f"{address.target}.py")).read_text()
    of_scenario = re.findall(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']""", source)
    of_library = [key for key in inspect.signature(library.make_env).parameters if key not in _OURS]
    address.allow([*of_scenario, *of_library])
