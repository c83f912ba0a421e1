"""One stream to the learner and what belongs to it: greets, takes tasks, plays them, sends their parts.

The main thread plays; gRPC's own thread reads into a queue (`mailbox.py`), the watchdog's thread gives signs of life.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from chorus.actor.mailbox import Ended, Mailbox
from chorus.actor.outgoing import Outgoing, Told
from chorus.actor.prepared import Prepared
from chorus.actor.rollout import Player
from chorus.actor.watchdog import Watchdog
from chorus.common.environments import progress
from chorus.common.environments.user_errors import frames
from chorus.common.errors import Corrupted, EnvironmentFault, MalformedData, Refused
from chorus.common.monitoring.timeline import span
from chorus.common.policy.opponents import frozen_digests, needed
from chorus.common.process import logs
from chorus.common.process.fingerprint import chorus_version
from chorus.common.settings import config as configuration
from chorus.common.tasks.checking import validate_slots
from chorus.common.tasks.parts import Part
from chorus.common.tasks.task import Task
from chorus.common.transport import channel
from chorus.common.transport.wire import read_task, task_name
from chorus.protos.chorus.v1 import rollout_pb2 as pb

if TYPE_CHECKING:
    from chorus.actor.client import Actor

log = logging.getLogger("chorus.actor")

ASK_AT = 0.75
"""The share of a task after which the next one is asked for."""
POLL_SECONDS = 0.5
HEARD_SECONDS = 5.0
"""What a slow environment is at is logged no more often than this."""


class Interrupted(Exception):
    """The task at work is not wanted any more: the stream is gone, or the actor is to stop."""


class Session:
    """One stream and what belongs to it."""

    def __init__(self, actor: Actor, line: channel.Line) -> None:
        self._actor = actor
        self._metrics = actor.metrics
        self._mail = Mailbox(line, actor.metrics)
        self._asked = False
        self._greeted = False
        self._at: pb.TaskName | None = None
        self._step = 0
        self._longest = 0
        self._watchdog: Watchdog | None = None
        self._outgoing = Outgoing(self._mail)
        self._heard = time.monotonic()

    def run(self) -> bool:
        """Return True once the run is complete, False if the learner or this actor is stopping.

        Raises:
            grpc.RpcError: the stream broke.
            MalformedData: the learner broke the contract.
        """
        with self._mail:
            welcome = self._next()
            if welcome is None:
                return False
            if not isinstance(welcome, pb.Welcome):
                raise MalformedData("the learner did not begin with a welcome")
            if hashlib.sha256(welcome.config).digest() != welcome.sha256:
                raise Corrupted("the welcome's configuration did not arrive as it was sent")
            patience = configuration.decode(welcome.config).learner.task_timeout
            with (
                Watchdog(patience, self._beat, self._hang) as self._watchdog,
                progress.heard_by(self._hear),
            ):
                return self._serve(welcome)

    def _serve(self, welcome: pb.Welcome) -> bool:
        try:
            prepared = self._greet(welcome)
            self._ask()
            while (item := self._next()) is not None:
                if isinstance(item, pb.Goodbye):
                    if item.reason == pb.Goodbye.REASON_ELSEWHERE:
                        self._actor.send_on()
                    return item.reason == pb.Goodbye.REASON_FINISHED
                if isinstance(item, pb.RolloutTask):
                    self._asked = False
                    self._play(prepared, item)
            return False
        except Interrupted:
            return self._after_interruption()
        finally:
            if self._actor.stopping.is_set():
                playing = str(read_task(self._at)) if self._at is not None else None
                log.info("stopping, its leases go back", extra={"playing": playing})

    def _after_interruption(self) -> bool:
        """The stream ended in mid-task: say why."""
        while not self._actor.stopping.is_set():
            item = self._next()
            if isinstance(item, pb.Goodbye):
                return item.reason == pb.Goodbye.REASON_FINISHED
            if item is None:
                break
        return False

    # -- messages

    def _next(self) -> pb.Welcome | pb.RolloutTask | pb.Goodbye | None:
        """The next message for the main thread; None when the stream ended well or the actor is stopping."""
        began = time.monotonic()
        try:
            while not self._actor.stopping.is_set():
                try:
                    with span("wait"):
                        item = self._mail.take(POLL_SECONDS)
                except queue.Empty:
                    self._live()
                    continue
                if isinstance(item, Ended):
                    if item.fault is not None:
                        raise item.fault
                    return None
                return item
            return None
        finally:
            self._metrics.seconds.labels("wait").inc(time.monotonic() - began)

    def _live(self) -> None:
        self._actor.moved()
        if self._watchdog is not None:
            self._watchdog.moved()

    def _go_on(self) -> None:
        """At work on a task: alive, unless nobody wants it any more."""
        if self._mail.broken.is_set() or self._actor.stopping.is_set():
            raise Interrupted
        self._live()

    def _hear(self, what: str) -> None:
        """The environment is at something slow."""
        self._live()
        now = time.monotonic()
        if now - self._heard > HEARD_SECONDS:
            self._heard = now
            log.info("environment", extra={"what": what})

    def _beat(self) -> None:
        """From the watchdog's thread: a sign of life, and how far the task is."""
        if self._greeted:
            self._mail.send(pb.FromActor(progress=pb.Progress(task=self._at, step=self._step)))

    def _hang(self, stack: str) -> None:
        """From the watchdog's thread, before it ends this process: tell the learner where the task hangs."""
        if self._at is not None:
            error = f"hung: no step for {self._actor.patience:.0f} s (learner.task_timeout), at step {self._step}"
            self._mail.send(pb.FromActor(failed=pb.TaskFailed(task=self._at, error=error, traceback=stack[-16_000:])))

    def _ask(self) -> None:
        self._asked = True
        self._mail.send(pb.FromActor(progress=pb.Progress(wanted=1, task=self._at, step=self._step)))

    # -- the order of things

    def _greet(self, welcome: pb.Welcome) -> Prepared:
        logs.bind(run=welcome.run)
        hello = pb.Hello(
            actor=self._actor.name,
            version=chorus_version(),
            config=hashlib.sha256(welcome.config).digest(),
            only_audits=self._actor.only_audits,
            movable=len(self._actor.places) > 1,
        )
        if welcome.version != chorus_version():  # let the learner say so: it names both versions
            self._mail.send(pb.FromActor(hello=hello))
            self._next()
            raise Refused(f"the learner is Chorus {welcome.version!r}, this actor Chorus {chorus_version()!r}")
        prepared = self._actor.prepare(welcome.config)
        self._live()
        self._mail.needs = partial(needed, prepared.config)
        hello.fingerprint.update(prepared.fingerprint)
        hello.remark, hello.impure = prepared.remark[:1000], not prepared.pure
        self._mail.send(pb.FromActor(hello=hello))
        self._greeted = True
        self._actor.joined()
        log.info("ready", extra={"learner": self._actor.places.here.address, "remark": prepared.remark})
        return prepared

    def _play(self, prepared: Prepared, order: pb.RolloutTask) -> None:
        task = read_task(order.task)
        policy = self._mail.policy(order)
        self._at, self._step = order.task, 0
        self._actor.breadcrumb.at(task)
        player = prepared.players[task.purpose]
        opponents = player.opponents
        past = self._mail.past(order, opponents.past(task), frozen_digests(prepared.config)) if opponents else {}
        ask_at = ASK_AT * (player.environment.spec.max_steps or self._longest)

        def on_step(step: int) -> None:
            self._go_on()
            self._step = step
            if not self._asked and step >= ask_at:
                self._ask()

        before = player.phases.environment, player.phases.inference
        parts, told = player.parts(policy, task, order.episodes, on_step, past=past), Told()
        try:
            while self._play_on(parts, player, told):
                pass
        except Interrupted:
            raise
        except BaseException as fault:  # whatever the environment raises is the task's failure, not the actor's end
            self._fail(task, fault)
        else:
            self._longest = told.longest
            self._metrics.agent_steps.inc(told.agent_steps)
            self._metrics.env_steps.inc(told.env_steps)
        self._metrics.seconds.labels("environment").inc(player.phases.environment - before[0])
        self._metrics.seconds.labels("inference").inc(player.phases.inference - before[1])
        self._at = None
        self._actor.breadcrumb.at(None)
        if not self._asked:
            self._ask()

    def _play_on(self, parts: Iterator[Part], player: Player, told: Told) -> bool:
        """Play another part of a task and send it; False if there is none. The part is held no longer than that."""
        self._outgoing.wait_for_room(self._go_on)
        before = player.phases.environment, player.phases.inference
        with span("play") as playing:
            part = next(parts, None)
            playing.note(
                environment=player.phases.environment - before[0], inference=player.phases.inference - before[1]
            )
        if part is None:
            return False
        validate_slots(part.arrays, player.environment.spec)
        began = time.monotonic()
        with span("encode"):
            self._outgoing.send(part, told)
        self._metrics.seconds.labels("encode").inc(time.monotonic() - began)
        return True

    def _fail(self, task: Task, fault: BaseException) -> None:
        log.warning("task failed", extra={"task": str(task), "fault": str(fault)}, exc_info=fault)
        self._metrics.tasks.labels("failed").inc()
        text = frames(fault)[-16_000:]
        name = "environment" if isinstance(fault, EnvironmentFault | MalformedData) else type(fault).__name__
        failed = pb.TaskFailed(task=task_name(task), error=f"{name}: {fault}"[:1000], traceback=text)
        self._mail.send(pb.FromActor(failed=failed))
