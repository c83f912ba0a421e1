"""One rollout task, played: the pure function from (policy version, environment, seed, task) to a trajectory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from chorus.actor.inference import Inference
from chorus.actor.recorder import Recorder, Row
from chorus.actor.sampling import sample, sample_gaussian, squash
from chorus.actor.scripted import Scripted
from chorus.common.environments.interface import (
    ActionArray,
    BoolArray,
    Environment,
    EnvironmentSpec,
    FloatArray,
    Frame,
)
from chorus.common.errors import EnvironmentFault
from chorus.common.policy.opponents import Opponents, Seat
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import PolicyVersion, Tensors
from chorus.common.tasks.joining import Joining
from chorus.common.tasks.parts import Part
from chorus.common.tasks.seeding import action_stream, environment_stream
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Trajectory

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

    It keeps nothing from one task to the next. `instances` is L, how many episodes are played at once; None for all.
    """

    environment: Environment
    policies: tuple[PolicySpec, ...]
    seed: int
    greedy: bool = False
    instances: int | None = None
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
        """Play a task and return the whole of it; see `parts` for arguments and errors."""
        joining = Joining(self.environment.spec, episodes, self._at_once(episodes))
        whole = None
        for part in self.parts(policy, task, episodes, on_step, on_frame, past):
            whole = joining.add(part)
        assert whole is not None, "the last part makes it whole"
        return whole

    def parts(
        self,
        policy: PolicyVersion,
        task: Task,
        episodes: int,
        on_step: Callable[[int], None] = lambda step: None,
        on_frame: Callable[[], None] = lambda: None,
        past: Mapping[int, PolicyVersion] | None = None,
    ) -> Iterator[Part]:
        """Play the task's `episodes` episodes, L at once in lockstep, every agent of each a row of one forward pass.

        With fewer instances than episodes they are played in waves: episodes 0 to L - 1, then the next L, …; each
        wave goes on in the task's streams where the one before it ended. What was played comes in parts
        (`common/tasks/parts.py`), and nothing of a part is held here once it was given out.

        Args:
            policy: the version to act by.
            task: whose streams of random numbers are drawn from.
            episodes: K.
            on_step: called with the number of steps played, of all waves, before each step.
            on_frame: called when the environment shows a new state, for those who film it.
            past: the versions that `opponents.past(task)` names.

        Raises:
            EnvironmentFault: the environment breaks the rules of `chorus.common.environments.interface`.
            MalformedData: so it does, and agents act after the end of an episode, or never.
        """
        spec, size = self.environment.spec, self._at_once(episodes)
        recorder = Recorder(spec, task, policy.version, episodes, size)
        versions = {**(past or {}), policy.version: policy}
        world, chance = environment_stream(self.seed, task), action_stream(self.seed, task)
        played = 0
        for first in range(0, episodes, size):
            recorder.begin_wave(range(first, min(first + size, episodes)))
            told = partial(_step_of, on_step, played, recorder)
            yield from self._wave(versions, policy.version, task, recorder, world, chance, told, on_frame)
            played += recorder.steps
        yield recorder.take()

    def _at_once(self, episodes: int) -> int:
        """How many of so many episodes are played at once."""
        return min(self.instances or episodes, episodes)

    def _wave(
        self,
        versions: Mapping[int, PolicyVersion],
        own: int,
        task: Task,
        recorder: Recorder,
        world: np.random.Generator,
        chance_stream: np.random.Generator,
        on_step: Callable[[], None],
        on_frame: Callable[[], None],
    ) -> Iterator[Part]:
        """Play the recorder's present wave of episodes, from reset to the end of the last."""
        spec, episodes = self.environment.spec, len(recorder.wave)
        acting, scripted = self._line_up(versions, own, task, recorder.wave)
        discrete = spec.discrete
        draws = _Draws(chance_stream, spec, episodes)
        clock = time.perf_counter()
        frame = self.environment.reset(episodes, world)
        alive = np.zeros((episodes, len(spec.agents)), np.bool_)
        while True:
            clock = self._spent("environment", clock)
            if recorder.full:
                yield recorder.take()
                clock = time.perf_counter()
            on_frame()
            on_step()
            everybody = bool(frame.present.all())
            row = recorder.begin_step(frame, everybody)
            chance = draws.at(recorder.steps)
            born = frame.present & ~alive
            alive |= frame.present
            taken = row.actions if discrete else row.actions.copy()
            for part in acting:
                part.act(frame, everybody, born, chance, row, taken, self.greedy, task, recorder.steps)
            for script in scripted:
                script.act(frame, born, row, taken, recorder.steps)
            clock = self._spent("inference", clock)
            outcome = self.environment.step(taken)
            recorder.end_step(outcome)
            alive &= ~(outcome.terminated | outcome.truncated | outcome.over[:, None])
            if outcome.over.all():
                break
            if spec.max_steps is not None and recorder.steps >= spec.max_steps:
                raise EnvironmentFault(f"{spec.name}: an episode went beyond max_steps = {spec.max_steps}")
            frame = outcome.frame
        self._spent("environment", clock)
        recorder.end_wave()
        on_frame()

    def _line_up(
        self, versions: Mapping[int, PolicyVersion], own: int, task: Task, episodes: range
    ) -> tuple[list[_Acting], list[Scripted]]:
        """Who acts in some of the task's episodes: policies, and programs."""
        seats = [Seat(part, own) for part in self.policies] if self.opponents is None else self.opponents.seats(task)
        tensors = {number: versions[number].tensors() for number in {seat.version for seat in seats if not seat.script}}
        spec = self.environment.spec
        count, size = len(spec.agents), len(episodes)
        acting = [_Acting(seat.spec, tensors[seat.version], size, count) for seat in seats if not seat.script]
        programs = [seat for seat in seats if seat.script]
        return acting, [Scripted(seat.script, seat.spec.agents, spec, self.seed, task, episodes) for seat in programs]

    def _spent(self, phase: str, since: float) -> float:
        now = time.perf_counter()
        setattr(self.phases, phase, getattr(self.phases, phase) + now - since)
        return now


def _step_of(on_step: Callable[[int], None], before: int, recorder: Recorder) -> None:
    on_step(before + recorder.steps)


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
        record: Row,
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
