"""One rollout task, played: the pure function from (policy version, environment, seed, task) to a trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from chorus.actor.inference import Inference
from chorus.actor.sampling import sample, sample_gaussian, squash
from chorus.common.environments.interface import (
    ActionArray,
    BoolArray,
    Environment,
    EnvironmentSpec,
    FloatArray,
    Frame,
    Outcome,
)
from chorus.common.errors import EnvironmentFault
from chorus.common.policy.opponents import Opponents, Seat
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import PolicyVersion, Tensors
from chorus.common.tasks.seeding import action_stream, environment_stream
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Trajectory

STEPS_AT_FIRST = 64
DRAWN_AHEAD = 32
"""Steps whose draws are taken at once; part of what a task yields, as seeds are."""


@dataclass
class Phases:
    """Seconds that a rollout spent in each phase."""

    environment: float = 0.0
    inference: float = 0.0


@dataclass(frozen=True)
class Player:
    """All that plays tasks of one run: the environment, who shares which policy, how many episodes, the run's seed.

    It keeps nothing from one task to the next.
    """

    environment: Environment
    policies: tuple[PolicySpec, ...]
    seed: int
    greedy: bool = False
    opponents: Opponents | None = None
    phases: Phases = field(default_factory=Phases)

    def play(
        self,
        policy: PolicyVersion,
        task: Task,
        episodes: int,
        on_step: Callable[[int], None] = lambda step: None,
        on_frame: Callable[[], None] = lambda: None,
        past: Mapping[int, PolicyVersion] | None = None,
    ) -> Trajectory:
        """Play the task's `episodes` episodes in lockstep, every agent of every episode a row of one forward pass.

        Args:
            policy: the version to act by.
            task: whose streams of random numbers are drawn from.
            episodes: K.
            on_step: called with the number of steps played, before each step.
            on_frame: called when the environment shows a new state, for those who film it.
            past: the versions that `opponents.past(task)` names.

        Raises:
            EnvironmentFault: the environment breaks the rules of `chorus.common.environments.interface`.
        """
        spec = self.environment.spec
        acting = self._line_up({**(past or {}), policy.version: policy}, policy.version, task, episodes)
        discrete = spec.discrete
        draws = _Draws(action_stream(self.seed, task), spec, episodes)
        tape = _Tape(spec, episodes)
        clock = time.perf_counter()
        frame = self.environment.reset(episodes, environment_stream(self.seed, task))
        alive = np.zeros((episodes, len(spec.agents)), np.bool_)
        while True:
            clock = self._spent("environment", clock)
            on_frame()
            on_step(tape.steps)
            everybody = bool(frame.present.all())
            row = tape.begin_step(frame, everybody)
            chance = draws.at(tape.steps)
            born = frame.present & ~alive
            alive |= frame.present
            taken = row.actions if discrete else row.actions.copy()
            for part in acting:
                part.act(frame, everybody, born, chance, row, taken, self.greedy, task, tape.steps)
            clock = self._spent("inference", clock)
            outcome = self.environment.step(taken)
            tape.end_step(outcome)
            alive &= ~(outcome.terminated | outcome.truncated | outcome.over[:, None])
            if outcome.over.all():
                break
            if spec.max_steps is not None and tape.steps >= spec.max_steps:
                raise EnvironmentFault(f"{spec.name}: an episode went beyond max_steps = {spec.max_steps}")
            frame = outcome.frame
        self._spent("environment", clock)
        on_frame()
        return tape.trajectory(task, policy.version)

    def _line_up(self, versions: Mapping[int, PolicyVersion], own: int, task: Task, episodes: int) -> list[_Acting]:
        seats = [Seat(part, own) for part in self.policies] if self.opponents is None else self.opponents.seats(task)
        tensors = {number: versions[number].tensors() for number in {seat.version for seat in seats}}
        count = len(self.environment.spec.agents)
        return [_Acting(seat.spec, tensors[seat.version], episodes, count) for seat in seats]

    def _spent(self, phase: str, since: float) -> float:
        now = time.perf_counter()
        setattr(self.phases, phase, getattr(self.phases, phase) + now - since)
        return now


@dataclass(frozen=True)
class _Chance:
    """One step's draws for every slot, present or not, so that nobody's depend on who else is there.

    Attributes:
        uniform: float32 `[episode, agent, component]` in [0, 1), for discrete actions; None if nobody has them.
        normal: the same from the standard normal distribution, for continuous actions.
    """

    uniform: FloatArray | None
    normal: FloatArray | None


class _Draws:
    """A task's draws, taken from its stream for many steps at once."""

    def __init__(self, stream: np.random.Generator, spec: EnvironmentSpec, episodes: int) -> None:
        self._stream = stream
        self._ahead = min(spec.max_steps or DRAWN_AHEAD, DRAWN_AHEAD)
        self._shape = (self._ahead, episodes, len(spec.agents), spec.action_size)
        self._some_discrete = any(agent.choices for agent in spec.agents)
        self._some_continuous = not spec.discrete
        self._uniform: FloatArray | None = None
        self._normal: FloatArray | None = None

    def at(self, step: int) -> _Chance:
        """The draws for a step; steps are asked for one after the other."""
        place = step % self._ahead
        if place == 0:
            if self._some_discrete:
                self._uniform = self._stream.random(self._shape, dtype=np.float32)
            if self._some_continuous:
                self._normal = self._stream.standard_normal(self._shape, dtype=np.float32)
        return _Chance(
            None if self._uniform is None else self._uniform[place],
            None if self._normal is None else self._normal[place],
        )


class _Acting:
    """One policy in one task: its weights, its rows' memories, and where its agents stand in the arrays."""

    def __init__(self, spec: PolicySpec, tensors: Tensors, episodes: int, agents: int) -> None:
        self._spec = spec
        self._rows = episodes * len(spec.agents)
        self._inference = Inference(tensors, spec, self._rows)
        self._agents = list(spec.agents)
        self._alone = len(spec.agents) == agents
        self._components = spec.agent.action_size

    def act(
        self,
        frame: Frame,
        everybody: bool,
        born: BoolArray,
        chance: _Chance,
        record: _Row,
        taken: ActionArray,
        greedy: bool,
        task: Task,
        step: int,
    ) -> None:
        """Fill in this policy's part of the record and of the actions `taken`, where its agents are present.

        `everybody` says that all agents of all episodes are, those of other policies included.
        """
        spec, agents, alone = self._spec, self._agents, self._alone
        rows = None
        if not everybody:
            present = (frame.present if alone else frame.present[:, agents]).reshape(self._rows)
            rows = None if present.all() else np.flatnonzero(present)
            if rows is not None and not rows.size:
                return
        fresh = (born if alone else born[:, agents]).reshape(self._rows)
        if fresh.any():
            self._inference.forget(fresh)
        inputs = spec.inputs(frame.observations).reshape(self._rows, spec.input_size)
        drawn = chance.uniform if spec.agent.choices else chance.normal
        if drawn is None:
            raise EnvironmentFault(f"{spec.name}: the environment's agents do not have the actions that they declare")
        draws = (drawn if alone else drawn[:, agents]).reshape(self._rows, -1)[:, : self._components]
        mask = None
        if frame.action_mask is not None:
            mask = frame.action_mask[:, agents, : spec.output_size].reshape(self._rows, spec.output_size)
        if rows is not None:
            inputs, draws, mask = inputs[rows], draws[rows], None if mask is None else mask[rows]
        outputs = self._inference.step(inputs, rows)
        bounded: ActionArray
        chosen: ActionArray
        try:
            if self._inference.log_std is None:
                chosen, scores = sample(outputs, spec.agent.choices, draws, mask, greedy)
                bounded = chosen
            else:
                chosen, scores = sample_gaussian(outputs, self._inference.log_std, spec.agent.bounds, draws, greedy)
                bounded = squash(chosen, spec.agent.bounds)
        except EnvironmentFault as fault:
            message, row = fault.args
            slot = int(row if rows is None else rows[row])
            name = agents[slot % len(agents)]
            raise EnvironmentFault(
                f"{message}: agent number {name}, episode {slot // len(agents)}, step {step} of {task}"
            ) from fault
        if alone and rows is None:
            shape = (-1, len(agents), self._components)
            record.actions[:, :, : self._components] = chosen.reshape(shape)
            taken[:, :, : self._components] = bounded.reshape(shape)
            record.log_probabilities[:] = scores.reshape(shape[:2])
            return
        slots = np.arange(self._rows) if rows is None else rows
        episode, agent = slots // len(agents), np.asarray(agents)[slots % len(agents)]
        record.actions[episode, agent, : self._components] = chosen
        taken[episode, agent, : self._components] = bounded
        record.log_probabilities[episode, agent] = scores


@dataclass(frozen=True)
class _Row:
    """What a step's actors fill in."""

    actions: ActionArray
    log_probabilities: FloatArray


class _Tape:
    """Records a task step by step into arrays that grow by doubling."""

    def __init__(self, spec: EnvironmentSpec, episodes: int) -> None:
        self._spec = spec
        self._episodes = episodes
        self.steps = 0
        slots = (spec.max_steps or STEPS_AT_FIRST, episodes, len(spec.agents))
        masks = (*slots, spec.choice_size) if spec.action_masks else (0, 0, 0, 0)
        self._arrays = {
            "observations": np.zeros((*slots, spec.observation_size), np.float32),
            "actions": np.zeros((*slots, spec.action_size), np.int32 if spec.discrete else np.float32),
            "log_probabilities": np.zeros(slots, np.float32),
            "acted": np.zeros(slots, np.bool_),
            "individual_rewards": np.zeros(slots, np.float32),
            "team_rewards": np.zeros(slots[:2], np.float32),
            "terminated": np.zeros(slots, np.bool_),
            "truncated": np.zeros(slots, np.bool_),
            "action_masks": np.zeros(masks, np.bool_),
        }
        self._lengths = np.zeros(episodes, np.int32)
        self._running = np.ones(episodes, np.bool_)
        self._final: list[FloatArray] = []

    def begin_step(self, frame: Frame, everybody: bool) -> _Row:
        """Record what the agents see, all of them if `everybody` is there; return where their actions go."""
        step, arrays = self.steps, self._arrays
        if step == len(arrays["acted"]):
            for name, array in arrays.items():
                if array.ndim and len(array):
                    arrays[name] = np.concatenate([array, np.zeros_like(array)])
        arrays["acted"][step] = frame.present
        if everybody:
            arrays["observations"][step] = frame.observations
        else:
            np.copyto(arrays["observations"][step], frame.observations, where=frame.present[:, :, None])
        if frame.action_mask is not None:
            np.copyto(arrays["action_masks"][step], frame.action_mask, where=frame.present[:, :, None])
        return _Row(arrays["actions"][step], arrays["log_probabilities"][step])

    def end_step(self, outcome: Outcome) -> None:
        """Record what the step did, in the episodes that were still running."""
        step, arrays, running = self.steps, self._arrays, self._running
        arrays["individual_rewards"][step] = outcome.rewards
        arrays["team_rewards"][step] = outcome.team_rewards
        arrays["terminated"][step] = outcome.terminated
        arrays["truncated"][step] = outcome.truncated
        if not running.all():
            for name in ("individual_rewards", "team_rewards", "terminated", "truncated"):
                arrays[name][step][~running] = 0
        truncated = arrays["truncated"][step]
        if truncated.any():
            final = outcome.frame.observations if outcome.final_observations is None else outcome.final_observations
            self._final.append(final[truncated])
        self._lengths[running] += 1
        self._running = running & ~outcome.over
        self.steps += 1

    def trajectory(self, task: Task, version: int) -> Trajectory:
        """All that was recorded."""
        arrays = {name: array[: self.steps] for name, array in self._arrays.items()}
        final = np.concatenate(self._final) if self._final else np.zeros((0, self._spec.observation_size), np.float32)
        return Trajectory(task, version, lengths=self._lengths, final_observations=final, **arrays)
