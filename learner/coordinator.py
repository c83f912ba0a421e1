"""The run itself: opens batches, has gradients computed, makes versions, writes the record.

It connects the ledger (the assignment of tasks) with the training state on one asyncio loop. The loop never
computes: checking a trajectory, gradients, optimiser steps and files are work for threads. Which thread, which actor
and which order change nothing, since a batch is what its tasks are named, and sums are exact.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import ceil, nan
from pathlib import Path
from typing import Any, Literal

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import GradientFault, TrainingFault
from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.monitoring.timeline import span, spanned
from chorus.common.settings.config import Config
from chorus.common.tasks.room import Room
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.answers import Answers
from chorus.learner.bookkeeper import Bookkeeper, Progress
from chorus.learner.group.group import ALONE, Group, own
from chorus.learner.group.rounds import State, fault_of
from chorus.learner.joint import Joint
from chorus.learner.judge import Judge
from chorus.learner.reception import Reception
from chorus.learner.storage.checkpoint import Counters, save_checkpoint
from chorus.learner.storage.elsewhere import Elsewhere
from chorus.learner.storage.run_folder import RunFolder
from chorus.learner.tasks.audit import Audits, Run
from chorus.learner.tasks.dispatcher import Dispatcher
from chorus.learner.tasks.failures import Failures
from chorus.learner.tasks.ledger import Ledger
from chorus.learner.update.episode_totals import episode_totals
from chorus.learner.update.report import UpdateReport
from chorus.learner.update.training import Training

log = logging.getLogger("chorus.learner")

TICK_SECONDS = 0.1
ROUND_SECONDS = 0.25
"""A process of a group that waits for its tasks tells the others so this often."""
REASONS_KEPT = 8


def room_of(config: Config) -> Room:
    """Where the trajectories of a run are held."""
    return Room(None if config.learner.spill is None else Path(config.learner.spill))


class Coordinator:
    """One run, from the update it stands at to its last."""

    def __init__(
        self,
        config: Config,
        environment: EnvironmentSpec,
        training: Training,
        folder: RunFolder | Elsewhere,
        counters: Counters,
        metrics: LearnerMetrics,
        on_update: Callable[[Progress], None] = lambda progress: None,
        group: Group = ALONE,
    ) -> None:
        """Continue from `counters`, at whose update `training` must stand, as one of the processes of a group."""
        self.config = config
        self.environment = environment
        self.room = room_of(config)
        self.training = training
        self.ledger = Ledger(config.learner.task_timeout)
        self.metrics = metrics
        self.refused = 0
        self.irreproducible = folder.irreproducible
        self.audits = Audits(config.seed, config.audit.share, self.ledger)
        self.last_progress = time.monotonic()
        self.last: Progress | None = None
        self.group = group
        self._folder = folder
        self._books = Bookkeeper(config, folder, counters, metrics)
        self._on_update = on_update
        self._dispatcher = Dispatcher(self.ledger, training.version_for, training.past_for, metrics)
        self.joint = Joint(group, self.ledger, self._dispatcher, self.audits, metrics)
        self._answers = Answers()
        self._judge = Judge(config, self.audits, self.ledger, self._dispatcher, self._answers, metrics, self)
        self.applied = training.update - 1
        self._failures = Failures(
            self.ledger, config.seed, lambda task: self._replay(task.update, task.index), self.stop_for
        )
        self.reception = Reception(
            self.ledger, self._dispatcher, self.audits, self._judge, self._failures, metrics, self
        )
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._fault: BaseException | None = None
        self._background: set[asyncio.Task[None]] = set()
        self.workers = training.side_by_side(config.learner.workers or len(os.sched_getaffinity(0)))
        self._gradients = ThreadPoolExecutor(self.workers, thread_name_prefix="gradient")
        self._step = ThreadPoolExecutor(1, thread_name_prefix="step")
        self._files = ThreadPoolExecutor(1, thread_name_prefix="files")
        self._waited = 0.0
        self._ending: Literal["", "stopping", "finished"] = ""

    @property
    def state(self) -> str:
        """In a word or three, for whoever looks on."""
        return self._ending or ("training" if self.reception.attended else "waiting for actors")

    @property
    def reproducible(self) -> bool:
        """Whether the same command would give the same weights."""
        return not self.irreproducible

    # -- what the reception and the judge ask of it

    def keep(self, run: Run) -> None:
        """Learn from this answer to a task, and from none that was there before."""
        task = run.trajectory.task
        self._answers.accept(run)
        if task.purpose is Purpose.EVALUATION:
            self._answers.evaluated[task] = episode_totals(run.trajectory, self.environment, self.config)
            self._changed.set()
        elif task.update == self.training.update:
            self._spawn(self._differentiate(run))
        else:
            self._answers.postpone(run)

    def progressed(self) -> None:
        """Something that was asked for has come; a batch may have waited for it."""
        self.last_progress = time.monotonic()
        self.metrics.progress_time.set_to_current_time()
        self._changed.set()

    def mark_irreproducible(self, reason: str) -> None:
        """Something makes this run impossible to reproduce: record it wherever the run is reported."""
        if reason not in self.irreproducible and len(self.irreproducible) < REASONS_KEPT:
            log.warning("the run is not reproducible", extra={"why": reason})
            self._folder.mark_irreproducible(reason)

    def stop_for(self, fault: BaseException) -> None:
        """End the run by this fault, unless another ends it already."""
        self._fault = self._fault or fault
        self._changed.set()

    # -- the loop

    def stop(self) -> None:
        """End after the present update, with a checkpoint."""
        self._stop.set()
        self._changed.set()

    async def stopped(self, seconds: float) -> None:
        """Wait for `stop`, no longer than so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def run(self) -> bool:
        """Train to the last update; return whether it was reached (else `stop` was called).

        Raises:
            TrainingFault: training cannot go on; the run folder holds the last good state.
        """
        ticking = asyncio.create_task(self._tick())
        try:
            for update in range(
                self.training.update, min(self.training.update + self.config.lag, self.config.updates - 1) + 1
            ):
                self.ledger.open(self._tasks(update))
            self._dispatcher.give_out()
            while self.training.update < self.config.updates and await self._batch():
                await self._update()
            finished = self.training.update == self.config.updates
            self._ending = "finished" if finished else "stopping"
            await self._checkpoint()
            if finished and isinstance(self._folder, RunFolder):
                self._folder.write_final(self.training.current)
            await self._balance()
            return finished
        except TrainingFault as fault:
            if isinstance(fault, GradientFault):
                self.metrics.gradient_norm.set(nan)
            await self._checkpoint()  # the last good state, close to what went wrong
            raise
        finally:
            self.reception.close()
            ticking.cancel()
            for task in self._background:
                task.cancel()
            await asyncio.gather(ticking, *self._background, return_exceptions=True)
            self._step.shutdown()
            self._gradients.shutdown()
            self._files.shutdown()

    async def _balance(self) -> None:
        """See that every lease is accounted for: nothing lost, nothing counted twice, in any process.

        Raises:
            TrainingFault: the sums do not agree.
        """
        counts = self.ledger.counts
        audits = {"audited": self.audits.done, "unequal": self.audits.unequal}
        log.info("accounts", extra={**vars(counts), **audits, "refused": self.refused, "balanced": counts.balanced})
        held = sum(len(record.leases) for record in self.ledger.actors.values())
        if not counts.balanced or counts.outstanding != held:
            raise TrainingFault(f"the accounts of tasks do not agree: {counts}, {held} held; this is a bug in Chorus")
        if self.group.size > 1:
            told = self.joint.standing(State.STOPPING, self.refused, [])
            whole = await self._in_thread(self._step, self.joint.accounts, told)
            ended = sum(whole[name] for name in ("completed", "repeated", "failed", "requeued", "outstanding"))
            told_of = {"processes": self.group.size, "balanced": whole["issued"] == ended}
            log.info("accounts of all processes", extra={**whole, **told_of})

    def _tasks(self, update: int) -> list[Task]:
        """Those of an update that this process owns."""
        return [task for task in self._all_tasks(update) if task.index % self.group.size == self.group.rank]

    def _all_tasks(self, update: int) -> list[Task]:
        every, episodes = self.config.evaluate.every, self.config.evaluate.episodes
        tasks = [Task(update, Purpose.TRAINING, index) for index in range(self.config.tasks)]
        if every and update % every == 0:
            tasks += [Task(update, Purpose.EVALUATION, index) for index in range(ceil(episodes / self.config.episodes))]
        return tasks

    async def _batch(self) -> bool:
        """Wait until the present update's batch is whole; False if the run is to stop first."""
        began = time.monotonic()
        while True:
            state = self._state()
            if self.group.size > 1:
                state = await self._round(state)
            if self._fault is not None and state is State.FAULT:
                raise self._fault
            if state is State.STOPPING:
                return False
            if state is State.READY:
                self._waited = time.monotonic() - began
                self.metrics.update_seconds.labels("batch").observe(self._waited)
                return True
            await self._change()

    def _state(self) -> State:
        """How this process stands with the present update."""
        if self._fault is not None:
            return State.FAULT
        if self._stop.is_set():
            return State.STOPPING
        update = self.training.update
        mine = len(own(self.group, self.config.tasks))
        if not self.ledger.batch_ready(update) and (mine or self._tasks(update)):
            return State.WAITING
        return State.READY if len(self._answers.sums) == mine else State.WAITING

    async def _change(self) -> None:
        """Wait until this process stands otherwise than waiting; in a group, no longer than until the next round."""
        until = time.monotonic() + ROUND_SECONDS if self.group.size > 1 else None
        while self._state() is State.WAITING:
            self._changed.clear()
            with span("waiting for the batch", track="batch"), suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), None if until is None else until - time.monotonic())
            if until is not None and time.monotonic() >= until:
                return

    async def _round(self, state: State) -> State:
        """Tell the other processes of the learner how this one stands; what all do now."""
        told = self.joint.standing(state, self.refused, list(self.irreproducible), str(self._fault or ""))
        decided: State = await self._in_thread(self._step, self.joint.round, told)
        for standing in self.joint.standings:
            for remark in standing.remarks:
                self.mark_irreproducible(remark)
        if decided is State.FAULT and self._fault is None:
            self._fault = TrainingFault(fault_of(self.joint.standings))
        if decided is State.WAITING:
            self.joint.send_on()
        return decided

    async def _update(self) -> None:
        """Apply the batch, make the next version known, open the next batch, write the record."""
        update, began = self.training.update, time.monotonic()
        self.applied = update
        tasks = self._tasks(update)
        training = [task for task in tasks if task.purpose is Purpose.TRAINING]
        sums = [self._answers.sums.pop(task) for task in training]
        try:
            report = await self._in_thread(self._step, spanned("step", self.training.apply), sums, self._side_by_side)
        except GradientFault as fault:
            replay = self._replay(update, "J" if fault.index is None else fault.index)
            raise GradientFault(f"{fault}; to see it again: {replay}", fault.index) from fault
        if self.group.size > 1:
            mine = {task: self._answers.players[task] for task in tasks}
            evaluated = {task: told for task, told in self._answers.evaluated.items() if task.update == update}
            players, totals = await self._in_thread(self._step, self.joint.share, mine, evaluated)
            self._answers.players |= players
            self._answers.evaluated |= totals
        self.ledger.close([*tasks, *self.audits.close(update)])
        self._failures.close(update)
        opening = update + 1 + self.config.lag
        if opening < self.config.updates:
            self.ledger.open(self._tasks(opening))
        for run in self._answers.due(self.training.update):
            self._spawn(self._differentiate(run))
        self._dispatcher.give_out()
        await asyncio.sleep(0)  # what was given out is on its way before the record is written
        stepped = time.monotonic() - began
        self.metrics.update_seconds.labels("step").observe(stepped)
        with span("record"):
            self._record(report, self._all_tasks(update), (self._waited, stepped))
        if self.training.update % self.config.checkpoint.every == 0:
            await self._checkpoint()

    def _record(self, report: UpdateReport, tasks: list[Task], spent: tuple[float, float]) -> None:
        actors = len(self._dispatcher)
        self.last = self._books.note(report, tasks, self._answers, spent, self.training.current, actors)
        self.progressed()
        self.joint.count()
        self._on_update(self.last)

    async def _checkpoint(self) -> None:
        checkpoint = self._books.checkpoint(self.training)
        if checkpoint is not None and isinstance(self._folder, RunFolder):
            save = spanned("checkpoint", save_checkpoint)
            await self._in_thread(self._files, save, self._folder.checkpoints, checkpoint, self.config.checkpoint)
            self._books.saved(checkpoint)

    # -- inside

    def _replay(self, update: int, index: int | str) -> str:
        return f"chorus replay {self._folder.path} --update {update} --task {index}"

    async def _differentiate(self, run: Run) -> None:
        began, task = time.monotonic(), run.trajectory.task
        sums = await self._in_thread(self._gradients, spanned("gradient", self.training.sums), run.trajectory)
        if not self._answers.holds(run):
            return
        self._answers.sums[task] = sums
        self.metrics.gradient_seconds.observe(time.monotonic() - began)
        self._changed.set()

    def _side_by_side(self, function: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        """The step's `Work`: what later passes over the batch differentiate, on the threads of the first."""
        return self._gradients.map(spanned("gradient", function), things)

    async def _tick(self) -> None:
        """Let late leases be noticed while nothing else happens."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._dispatcher.help_out()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.stop_for(task.exception())  # type: ignore[arg-type]

    @staticmethod
    async def _in_thread(pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
