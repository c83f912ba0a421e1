"""The real ledger among simulated actors: a seeded discrete-event simulation of a whole run, without a network.

Actors differ in speed, vary from task to task, die, hang and join; the learner has gradient workers and takes a step
when its batch is complete. All decisions (the assignment of tasks, when a late task is assigned again) are those of
`learner/tasks/ledger.py` itself; around it the simulation does, event for event, what coordinator and client do.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from chorus.actor.session import ASK_AT
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.coordinator import TICK_SECONDS
from chorus.learner.tasks.ledger import Ledger, Verdict

AHEAD_BY_ARRIVAL = 5


@dataclass(frozen=True)
class Swarm:
    """What is simulated; times in seconds.

    Attributes:
        actors: at the start.
        tasks: J.
        lag: as in a run.
        updates: after how many the simulation ends.
        task: a typical actor's time for a typical task.
        unlike: spread of the actors' speeds, standard deviation of the logarithm.
        uneven: spread of the tasks' times at one actor, likewise.
        life: mean time until an actor dies; infinite for never.
        absence: mean time until it is back.
        hanging: share of deaths that nobody notices until `silence` has passed.
        silence: after which a silent connection counts as dead.
        latency: of a message.
        learners: its processes, R; task j and actor a belong to process j mod R, a mod R.
        workers: gradient threads of each.
        gradient: time of one task's gradient in a thread.
        step: time of an update's step.
        shock: share of the actors that die at once half-way through.
        arrival_order: make batches of whatever arrives first, as others do, instead of named tasks.
        seed: of everything random.
    """

    actors: int
    tasks: int
    lag: int = 1
    updates: int = 20
    task: float = 1.0
    unlike: float = 0.3
    uneven: float = 0.1
    life: float = float("inf")
    absence: float = 10.0
    hanging: float = 0.1
    silence: float = 10.0
    latency: float = 0.001
    learners: int = 1
    workers: int = 2
    gradient: float = 0.001
    step: float = 0.01
    shock: float = 0.0
    arrival_order: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Story:
    """What came of it.

    Attributes:
        seconds: simulated, from the first update's end to the last's.
        updates: in that time.
        utilisation: share of the gradient workers' time that they worked.
        busy: share of the living actors' time that they played.
        wasted: share of the played time whose answer was not used: repeated, or lost with its actor.
        recovery: seconds from the shock until updates took at most a quarter longer than before; None without a shock
            or without recovery.
        deaths: of actors.
        repeated: answers that came second.
        operations: of the ledger.
    """

    seconds: float
    updates: int
    utilisation: float
    busy: float
    wasted: float
    recovery: float | None
    deaths: int
    repeated: int
    operations: int


@dataclass
class _Actor:
    """One simulated actor; `generation` counts its lives, so that events of an earlier one are recognised."""

    speed: float
    generation: int = 0
    alive: bool = False
    hanging: bool = False
    wanted: int = 0
    playing: Task | None = None
    next: Task | None = None
    since: float = 0.0
    joined: float = 0.0


class Simulation:
    """See the module's head; `run` tells the story."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.ledgers = [Ledger(timeout=60.0) for _ in range(swarm.learners)]
        self.now = 0.0
        self._random = np.random.default_rng(swarm.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        speeds = np.exp(self._random.normal(0.0, swarm.unlike, swarm.actors))
        self._actors = {f"actor-{number}": _Actor(float(speed)) for number, speed in enumerate(speeds)}
        self._home = {name: number % swarm.learners for number, name in enumerate(self._actors)}
        self._idle: list[dict[str, None]] = [{} for _ in self.ledgers]
        self._update = 0
        self._opened = 0
        self._kept: dict[int, int] = {}
        self._summed: dict[int, int] = {}
        self._stepping = False
        self._work: list[deque[Task]] = [deque() for _ in self.ledgers]
        self._early: list[Task] = []
        self._free = [swarm.workers] * swarm.learners
        self._worked = self._played = self._lost = self._lived = 0.0
        self._ends: list[float] = []
        self._shock_at: float | None = None
        self._deaths = self._repeated = self._operations = 0

    def run(self) -> Story:
        """Simulate to the last update."""
        swarm = self.swarm
        for _ in range(AHEAD_BY_ARRIVAL if swarm.arrival_order else swarm.lag + 1):
            self._open()
        for name in self._actors:
            self._at(float(self._random.uniform(0.0, 0.1)), lambda name=name: self._join(name))  # type: ignore[misc]
        self._at(TICK_SECONDS, self._tick)
        worked = played = lost = lived = 0.0
        while len(self._ends) < swarm.updates:
            self.now, _, event = heapq.heappop(self._events)
            event()
            if len(self._ends) == 1 and not worked:
                worked, played, lost, lived = self._worked, self._played, self._lost, self._alive_seconds()
        seconds = self._ends[-1] - self._ends[0]
        return Story(
            seconds=seconds,
            updates=len(self._ends) - 1,
            utilisation=(self._worked - worked) / (swarm.learners * swarm.workers * seconds),
            busy=(self._played - played) / max(self._alive_seconds() - lived, 1e-9),
            wasted=(self._lost - lost) / max(self._played - played, 1e-9),
            recovery=self._recovery(),
            deaths=self._deaths,
            repeated=self._repeated,
            operations=self._operations,
        )

    def _alive_seconds(self) -> float:
        return self._lived + sum(self.now - actor.joined for actor in self._actors.values() if actor.alive)

    def _recovery(self) -> float | None:
        if self._shock_at is None:
            return None
        gaps = list(zip(self._ends, self._ends[1:], strict=False))
        before = [end - begin for begin, end in gaps if end <= self._shock_at]
        usual = median(before) if before else float("inf")
        for begin, end in gaps:
            if begin >= self._shock_at and end - begin <= 1.25 * usual:
                return begin - self._shock_at
        return None

    # -- time

    def _at(self, delay: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay, self._count, event))

    def _tick(self) -> None:
        for home, ledger in enumerate(self.ledgers):
            alarm = ledger.next_alarm()
            if self._idle[home] and alarm is not None and alarm <= self.now:
                self._dispatch(home)
        self._at(TICK_SECONDS, self._tick)

    # -- actors

    def _join(self, name: str) -> None:
        actor = self._actors[name]
        self.ledgers[self._home[name]].join(name)
        actor.alive, actor.hanging, actor.joined = True, False, self.now
        actor.generation += 1
        actor.wanted, actor.playing, actor.next = 0, None, None
        if self.swarm.life < float("inf"):
            self._later(name, float(self._random.exponential(self.swarm.life)), lambda: self._die(name))
        self._ask(name)

    def _later(self, name: str, delay: float, event: Callable[[], None]) -> None:
        """Unless the actor has died by then."""
        actor, generation = self._actors[name], self._actors[name].generation
        self._at(delay, lambda: event() if actor.alive and actor.generation == generation else None)

    def _die(self, name: str) -> None:
        actor = self._actors[name]
        self._deaths += 1
        if not actor.hanging and self._random.random() < self.swarm.hanging:
            actor.hanging = True
            self._later(name, self.swarm.silence, lambda: self._leave(name))
        else:
            self._leave(name)

    def _leave(self, name: str) -> None:
        actor = self._actors[name]
        if actor.playing is not None:
            self._played += self.now - actor.since
            self._lost += self.now - actor.since
        actor.alive = False
        self._lived += self.now - actor.joined
        home = self._home[name]
        self._idle[home].pop(name, None)
        self.ledgers[home].leave(name)
        self._at(float(self._random.exponential(self.swarm.absence)), lambda: self._join(name))
        self._dispatch(home)

    def _ask(self, name: str) -> None:
        self._actors[name].wanted += 1
        self._later(name, self.swarm.latency, lambda: self._asked(name))

    def _asked(self, name: str) -> None:
        self._idle[self._home[name]][name] = None
        self._dispatch_to(name)

    def _given(self, name: str, task: Task) -> None:
        actor = self._actors[name]
        if actor.playing is None:
            self._play(name, task)
        else:
            actor.next = task

    def _play(self, name: str, task: Task) -> None:
        actor, swarm = self._actors[name], self.swarm
        actor.playing, actor.since = task, self.now
        taken = swarm.task * actor.speed * float(np.exp(self._random.normal(0.0, swarm.uneven)))
        self._later(name, ASK_AT * taken, lambda: None if actor.hanging else self._ask(name))
        self._later(name, taken, lambda: None if actor.hanging else self._played_out(name, task))

    def _played_out(self, name: str, task: Task) -> None:
        actor = self._actors[name]
        taken = self.now - actor.since
        self._played += taken
        self._later(name, self.swarm.latency, lambda: self._answer(name, task, taken))
        actor.playing = None
        if actor.next is not None:
            following, actor.next = actor.next, None
            self._play(name, following)

    # -- the learner, as `learner/coordinator.py`

    def _open(self) -> None:
        tasks = [Task(self._opened, Purpose.TRAINING, index) for index in range(self.swarm.tasks)]
        for home, ledger in enumerate(self.ledgers):
            ledger.open(tasks[home :: self.swarm.learners])
        self._opened += 1

    def _close(self, update: int) -> None:
        tasks = [Task(update, Purpose.TRAINING, index) for index in range(self.swarm.tasks)]
        for home, ledger in enumerate(self.ledgers):
            ledger.close(tasks[home :: self.swarm.learners])
        del self._kept[update]

    def _dispatch(self, home: int) -> None:
        idle = self._idle[home]
        while idle and self._dispatch_to(next(iter(idle))):
            pass

    def _dispatch_to(self, name: str) -> bool:
        """Give an idle actor what it wants; False if there is nothing to be had."""
        actor = self._actors[name]
        while actor.wanted:
            self._operations += 1
            task = self.ledgers[self._home[name]].lease(name, self.now)
            if task is None:
                return False
            actor.wanted -= 1
            self._later(name, self.swarm.latency, lambda task=task: self._given(name, task))  # type: ignore[misc]
        del self._idle[self._home[name]][name]
        return True

    def _answer(self, name: str, task: Task, taken: float) -> None:
        self._operations += 1
        if self.ledgers[self._home[name]].complete(name, task, self.now) is not Verdict.KEPT:
            self._repeated += 1
            self._lost += taken
            return
        self._kept[task.update] = self._kept.get(task.update, 0) + 1
        if self.swarm.arrival_order and self._kept[task.update] == self.swarm.tasks:
            self._close(task.update)
        if self.swarm.arrival_order or task.update == self._update:
            self._differentiate(task)
        else:
            self._early.append(task)

    def _differentiate(self, task: Task) -> None:
        home = task.index % self.swarm.learners
        self._work[home].append(task)
        self._employ(home)

    def _employ(self, home: int) -> None:
        while self._free[home] and self._work[home]:
            task = self._work[home].popleft()
            self._free[home] -= 1
            self._at(self.swarm.gradient, lambda task=task: self._differentiated(task))  # type: ignore[misc]

    def _differentiated(self, task: Task) -> None:
        home = task.index % self.swarm.learners
        self._free[home] += 1
        self._worked += self.swarm.gradient
        batch = 0 if self.swarm.arrival_order else task.update
        self._summed[batch] = self._summed.get(batch, 0) + 1
        self._employ(home)
        self._step_if_whole()

    def _step_if_whole(self) -> None:
        batch = 0 if self.swarm.arrival_order else self._update
        if not self._stepping and self._summed.get(batch, 0) >= self.swarm.tasks:
            self._stepping = True
            self._at(self.swarm.step, self._stepped)

    def _stepped(self) -> None:
        self._stepping = False
        self._ends.append(self.now)
        if self.swarm.arrival_order:
            self._summed[0] -= self.swarm.tasks
        else:
            self._close(self._update)
            del self._summed[self._update]
        self._update += 1
        self._open()
        early, self._early = self._early, []
        for task in early:
            if task.update == self._update:
                self._differentiate(task)
            else:
                self._early.append(task)
        if self.swarm.shock and self._shock_at is None and len(self._ends) >= self.swarm.updates // 2:
            self._shock_at = self.now
            for name, actor in list(self._actors.items()):
                if actor.alive and self._random.random() < self.swarm.shock:
                    self._deaths += 1
                    self._leave(name)
        for home in range(self.swarm.learners):
            self._dispatch(home)
        self._step_if_whole()
