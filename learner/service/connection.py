"""One actor's stream, from welcome to end: what may be said in which order, and how it ends for rule-breakers."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from chorus.common.errors import Corrupted, MalformedData
from chorus.common.policy.opponents import needed, newest_of
from chorus.common.policy.weights import PolicyVersion
from chorus.common.process.fingerprint import Fingerprint, chorus_version, first_difference
from chorus.common.process.logs import printable
from chorus.common.tasks.parts import Part
from chorus.common.tasks.task import Task, version_for
from chorus.common.transport.wire import PartAssembly, read_task, task_name
from chorus.learner.coordinator import Coordinator
from chorus.learner.service.frames import Frames
from chorus.learner.service.rate_limit import TokenBucket
from chorus.learner.tasks.arrival import Arrival
from chorus.learner.tasks.ledger import NotLeased, Verdict
from chorus.protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.server")

HELLO_SECONDS = 300.0
LEASES_ALLOWED = 4
MESSAGES_PER_SECOND, MESSAGES_IN_RESERVE = 1000.0, 4000.0
BEAT_SECONDS = 1.0
SILENT_BEATS = 10
LAST_WRITE_SECONDS = 5.0
"""So long a stream that is to end waits for a message that is half sent: gRPC takes no status before."""
ACTOR_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

Code = grpc.StatusCode


class Unlawful(Exception):
    """A stream must end: with this status, for this reason."""

    def __init__(self, code: grpc.StatusCode, reason: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Contract:
    """What all streams of a run share.

    Attributes:
        coordinator: of the run.
        connections: the actors that have been greeted, by name.
        frames: policy versions as messages.
        welcome: the message that every stream begins with.
        config_digest: SHA-256 of the configuration in it.
        fingerprint: that an actor must have.
        part_limit: the most bytes that a part of a trajectory can have.
    """

    coordinator: Coordinator
    connections: dict[str, Connection]
    frames: Frames
    welcome: bytes
    config_digest: bytes
    fingerprint: Fingerprint
    part_limit: int


class Connection:
    """One actor's stream: reads what it sends, and sends from a queue so that neither waits on the other."""

    def __init__(self, contract: Contract, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.name = "unnamed"
        self.wanted = 0
        self.remark = ""
        self.movable = False
        self.heard = self.joined = time.monotonic()
        self.version = -1
        self._contract = contract
        self._coordinator = contract.coordinator
        self._context = context
        self._outbox: deque[bytes | pb.ToActor] = deque()
        self._ready = asyncio.Event()
        self._finished = False
        self._sent: set[int] = set()
        self._assembly = PartAssembly(contract.part_limit)
        self._arriving: Arrival | None = None
        self._bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_IN_RESERVE, self.heard)
        self._silent_beats = 0
        self._stuck_beats = 0
        self._at: tuple[bytes, int] = (b"", 0)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # -- as the coordinator sees it

    def send_task(self, task: Task, policy: PolicyVersion, past: Sequence[PolicyVersion] = ()) -> None:
        """Have the actor play a task, after giving it the version, and those of opponents, if it has not got them."""
        self.wanted -= 1
        self.version = policy.version
        for version in (*past, policy):
            self._give(version)
        order = pb.RolloutTask(
            task=task_name(task),
            version=policy.version,
            episodes=self._coordinator.config.episodes,
            weights=policy.sha256,
        )
        self.send(pb.ToActor(task=order))

    def _give(self, policy: PolicyVersion) -> None:
        """Send a version, unless the actor holds it; what it holds is what `Mailbox` keeps of all that was sent."""
        if policy.version in self._sent:
            return
        for frame in self._contract.frames.of(policy):
            self.send(frame)
        self._sent.add(policy.version)
        newest, config = newest_of(self._sent), self._coordinator.config
        self._sent = {version for version in self._sent if needed(config, newest, version)}

    def send_on(self) -> None:
        """End the stream, so that the actor asks another process of this learner."""
        self.send(pb.ToActor(goodbye=pb.Goodbye(reason=pb.Goodbye.REASON_ELSEWHERE)))
        self.finish()

    def bar(self, why: str) -> None:
        """End the stream, for what this actor did."""
        if not self._ended.done():
            self._ended.set_exception(Unlawful(Code.PERMISSION_DENIED, "barred", why))

    def send(self, message: pb.ToActor | bytes) -> None:
        """Queue a message."""
        self._outbox.append(message)
        self._ready.set()

    def finish(self) -> None:
        """End the stream once everything queued is sent."""
        self._finished = True
        self._ready.set()

    # -- the stream

    async def serve(self) -> None:
        """Exchange messages until either side ends the stream.

        Raises:
            Unlawful: the actor broke the contract.
        """
        self._coordinator.metrics.connections.inc()
        self.send(self._contract.welcome)
        writing = asyncio.create_task(self._write())
        reading = asyncio.create_task(self._read())
        try:
            done, _ = await asyncio.wait({writing, reading, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            if self._contract.connections.get(self.name) is self:
                del self._contract.connections[self.name]
                self._coordinator.reception.leave(self.name)
                log.info("actor left", extra={"actor": self.name})
            if self._ended.done():
                self._ended.exception()
            self._ended.cancel()
            reading.cancel()
            self._outbox.clear()
            self.finish()
            await asyncio.wait({writing}, timeout=LAST_WRITE_SECONDS)
            writing.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)

    def beat(self) -> None:
        """Once a second: end a stream on which nothing comes, or whose actor gets no further.

        Beats are counted, not seconds: while this process is stopped nothing can come, and nobody is to blame.
        """
        if self.name not in self._contract.connections or self._ended.done():
            return
        self._silent_beats += 1
        leases = len(self._coordinator.ledger.actors[self.name].leases)
        self._stuck_beats = self._stuck_beats + 1 if leases else 0
        patience = 2 * self._coordinator.config.learner.task_timeout
        if self._silent_beats > SILENT_BEATS:
            why = f"nothing was heard of this actor for {SILENT_BEATS} s; its {leases} tasks were given to others"
        elif self._stuck_beats * BEAT_SECONDS > patience:
            why = f"this actor got no further for {patience:.0f} s; its {leases} tasks were given to others"
        else:
            return
        reason = "silent" if self._silent_beats > SILENT_BEATS else "stuck"
        self._ended.set_exception(Unlawful(Code.ABORTED, reason, why))

    async def _write(self) -> None:
        while True:
            while self._outbox:
                message = self._outbox.popleft()
                data = message if isinstance(message, bytes) else message.SerializeToString()
                await self._context.write(data)
                self._coordinator.metrics.sent.inc(len(data))
            if self._finished:
                return
            self._ready.clear()
            await self._ready.wait()

    async def _read(self) -> None:
        messages = self._messages()
        try:
            first = await asyncio.wait_for(anext(messages), HELLO_SECONDS)
        except StopAsyncIteration:
            return  # it went before it said anything: its own affair
        except TimeoutError:
            raise Unlawful(Code.DEADLINE_EXCEEDED, "no_hello", f"no hello within {HELLO_SECONDS:.0f} seconds") from None
        if first.WhichOneof("kind") != "hello":
            raise Unlawful(Code.INVALID_ARGUMENT, "no_hello", "the first message must be hello")
        self._greet(first.hello)
        async for message in messages:
            try:
                await self._handle(message)
            except Corrupted as fault:
                raise Unlawful(Code.DATA_LOSS, "corrupted", str(fault)) from fault
            except MalformedData as fault:
                raise Unlawful(Code.INVALID_ARGUMENT, "malformed", str(fault)) from fault
            except NotLeased as fault:
                raise Unlawful(Code.FAILED_PRECONDITION, "not_leased", str(fault)) from fault

    async def _messages(self) -> AsyncIterator[pb.FromActor]:
        """The actor's messages, decoded here and not by gRPC, so that nonsense ends with the status that the contract
        names."""
        while True:
            data = await self._context.read()
            if data is grpc.aio.EOF:
                return
            self.heard = time.monotonic()
            self._silent_beats = 0
            self._coordinator.metrics.received.inc(len(data))
            if not self._bucket.spend(self.heard):
                raise Unlawful(
                    Code.RESOURCE_EXHAUSTED, "flood", f"more than {MESSAGES_PER_SECOND:.0f} messages a second"
                )
            try:
                yield pb.FromActor.FromString(data)
            except DecodeError as fault:
                raise Unlawful(Code.INVALID_ARGUMENT, "malformed", f"not a FromActor message: {fault}") from fault

    def _greet(self, hello: pb.Hello) -> None:
        ours = chorus_version()
        if not ACTOR_NAME.fullmatch(hello.actor):
            raise Unlawful(
                Code.INVALID_ARGUMENT, "malformed", f"actor is {hello.actor[:64]!r}; use 1 to 64 of A-Za-z0-9._-"
            )
        if hello.version != ours:
            raise Unlawful(
                Code.FAILED_PRECONDITION,
                "version",
                f"the actor is Chorus {hello.version[:32]!r}, the learner Chorus {ours!r}; use the same version",
            )
        if hello.config != self._contract.config_digest:
            raise Unlawful(Code.DATA_LOSS, "corrupted", "the welcome's configuration did not arrive as it was sent")
        difference = first_difference(self._contract.fingerprint, dict(hello.fingerprint))
        if difference and not self._coordinator.config.mixed_arithmetic:
            raise Unlawful(
                Code.FAILED_PRECONDITION,
                "fingerprint",
                f"unlike arithmetic, so the run would not be reproducible: {difference[:2000]};"
                " make them equal, or start the run with --mixed-arithmetic",
            )
        if hello.actor in self._coordinator.reception.barred:
            raise Unlawful(Code.PERMISSION_DENIED, "barred", f"audits found that {hello.actor!r} alters what it plays")
        if hello.actor in self._contract.connections:
            raise Unlawful(Code.ALREADY_EXISTS, "name_taken", f"an actor named {hello.actor!r} is connected already")
        self.name = hello.actor
        self.remark = printable(hello.remark[:1000])
        self.movable = hello.movable
        self._contract.connections[self.name] = self
        self._coordinator.reception.join(self, hello.only_audits, auditor=not difference)
        log.info("actor joined", extra={"actor": self.name, "remark": self.remark})
        if hello.impure:
            self._coordinator.mark_irreproducible(self.remark or "the environment is not reproducible")
        if difference:
            self._coordinator.mark_irreproducible(f"unlike arithmetic plays together: {difference[:1000]}")

    async def _handle(self, message: pb.FromActor) -> None:
        kind = message.WhichOneof("kind")
        if kind == "progress":
            at = message.progress.task.SerializeToString(deterministic=True), message.progress.step
            if at != self._at:
                self._at, self._stuck_beats = at, 0
            if message.progress.wanted:
                self._ask(message.progress.wanted)
        elif kind == "chunk":
            self._stuck_beats = 0
            if self._assembly.empty:
                self._admit(message.chunk)
            part = self._assembly.add(message.chunk)
            if part is not None:
                await self._take(part)
        elif kind == "failed":
            failed, task = message.failed, read_task(message.failed.task)
            if self._arriving is not None and self._arriving.task == task:
                self._arriving = None
            self._coordinator.reception.fail(self.name, task, failed.error[:1000], failed.traceback[:16000])
        else:
            raise MalformedData(f"{kind or 'an empty message'} is not expected now")

    async def _take(self, part: Part) -> None:
        """Join a part to those before it, and answer when the trajectory is whole."""
        if self._arriving is None:
            self._arriving = Arrival(
                part.task, self._coordinator.environment, self._coordinator.config, self._coordinator.room
            )
        try:
            verdict = await self._coordinator.reception.receive(
                self.name, self._arriving, part, self._assembly.announced
            )
        except OSError as fault:
            raise Unlawful(Code.UNAVAILABLE, "no_room", f"the learner ends: {fault}") from fault
        if verdict is not None:
            self._arriving = None
            kept = verdict is Verdict.KEPT
            self.send(pb.ToActor(receipt=pb.Receipt(task=task_name(part.task), kept=kept)))

    def _admit(self, chunk: pb.TrajectoryChunk) -> None:
        """See that a part is wanted before its bytes are gathered."""
        task = self._coordinator.reception.leased(self.name, read_task(chunk.task))
        version = version_for(task.update, self._coordinator.config.lag)
        if chunk.version != version:
            raise Unlawful(
                Code.FAILED_PRECONDITION,
                "wrong_version",
                f"{task} was played by version {chunk.version}, but belongs to version {version}",
            )

    def _ask(self, wanted: int) -> None:
        self.wanted += wanted
        held = len(self._coordinator.ledger.actors[self.name].leases)
        if self.wanted + held > LEASES_ALLOWED:
            raise Unlawful(
                Code.RESOURCE_EXHAUSTED,
                "greedy",
                f"{self.wanted} tasks asked for with {held} unfinished; at most {LEASES_ALLOWED}",
            )
        self._coordinator.reception.ask(self.name)
