"""The gRPC server: an adapter between streams and the coordinator. It decides nothing but whether a message is
lawful."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from common import config as configuration
from common.channel import SERVER_OPTIONS, SERVICE, to_actor_bytes
from common.environment import EnvironmentSpec
from common.errors import MalformedData
from common.fingerprint import Fingerprint, chorus_version, first_difference
from common.task import Task
from common.weights import PolicyVersion
from common.wire import TrajectoryAssembly, read_task, task_name, weights_chunks
from learner.coordinator import Coordinator
from learner.ledger import NotLeased, Verdict
from protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.server")

HELLO_SECONDS = 60.0
LEASES_ALLOWED = 4
STEPS_ASSUMED = 10_000
STALLED_SECONDS = 300.0
ACTOR_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")

Code = grpc.StatusCode


class Unlawful(Exception):
    """A stream must end: with this status, for this reason."""

    def __init__(self, code: grpc.StatusCode, reason: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.reason = reason


class Frames:
    """Messages that go to many actors, encoded once: a policy version's chunks, the same bytes objects for everyone."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._frames: dict[int, list[bytes]] = {}

    def of(self, policy: PolicyVersion) -> list[bytes]:
        """A version's weights, ready to be sent."""
        if policy.version not in self._frames:
            chunks = weights_chunks(policy)
            self._frames[policy.version] = [pb.ToActor(weights=chunk).SerializeToString() for chunk in chunks]
            for old in sorted(self._frames)[: -self._keep]:
                del self._frames[old]
        return self._frames[policy.version]


class Server:
    """All streams of one learner."""

    def __init__(self, coordinator: Coordinator, run: str, fingerprint: Fingerprint) -> None:
        """Serve the coordinator's run to actors with this fingerprint."""
        self.coordinator = coordinator
        self.fingerprint = fingerprint
        self.run = run
        self.frames = Frames(coordinator.config.lag + 2)
        self.welcome = pb.ToActor(
            welcome=pb.Welcome(version=chorus_version(), run=run, config=configuration.encode(coordinator.config))
        ).SerializeToString()
        self.limit = payload_limit(coordinator.environment, coordinator.config.episodes)
        self.connections: dict[str, Connection] = {}
        self.reproducible = not coordinator.config.mixed_arithmetic
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        self._health = health.aio.HealthServicer()
        handlers: dict[str, Any] = {
            "Play": grpc.stream_stream_rpc_method_handler(self._play, None, to_actor_bytes),
            "Status": grpc.unary_unary_rpc_method_handler(
                self._status, pb.StatusRequest.FromString, pb.StatusReply.SerializeToString
            ),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str) -> int:
        """Listen at HOST:PORT (port 0: any that is free); return the port.

        Raises:
            OSError: the address cannot be had.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as fault:
            raise OSError(f"cannot listen at {address}: {fault}") from fault
        await self._server.start()
        await self.check_health()
        return port

    async def check_health(self) -> None:
        """Tell the health service whether the run moves: health is tied to progress, not to being alive."""
        stalled = time.monotonic() - self.coordinator.last_progress > STALLED_SECONDS and bool(self.connections)
        status = health_pb2.HealthCheckResponse.NOT_SERVING if stalled else health_pb2.HealthCheckResponse.SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)

    async def stop(self, reason: pb.Goodbye.Reason, grace: float = 2.0) -> None:
        """Say goodbye to every actor, then end all streams."""
        for connection in self.connections.values():
            connection.send(pb.ToActor(goodbye=pb.Goodbye(reason=reason)))
            connection.finish()
        await self._server.stop(grace)

    async def _play(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        connection = Connection(self, context)
        try:
            await connection.serve()
        except Unlawful as fault:
            self.coordinator.refused += 1
            self.coordinator.metrics.refusals.labels(fault.reason).inc()
            log.warning("actor refused", extra={"actor": connection.name, "reason": fault.reason, "why": str(fault)})
            await context.abort(fault.code, str(fault))

    async def _status(self, _: pb.StatusRequest, context: grpc.aio.ServicerContext[Any, Any]) -> pb.StatusReply:
        return self.status()

    def status(self) -> pb.StatusReply:
        """How the run stands."""
        coordinator, now = self.coordinator, time.monotonic()
        row = coordinator.last.row if coordinator.last else {}
        counts = coordinator.ledger.counts
        return pb.StatusReply(
            version=chorus_version(),
            run=self.run,
            state=coordinator.state,
            update=coordinator.training.update,
            updates=coordinator.config.updates,
            policy_version=coordinator.training.update,
            lag=coordinator.config.lag,
            env_steps=row.get("env_steps", 0),
            agent_steps=row.get("agent_steps", 0),
            seconds=row.get("seconds", 0.0),
            mixed_return=row.get("mixed_return", float("nan")),
            agent_steps_per_second=row.get("agent_steps_per_second", 0.0),
            actors=[
                pb.ActorStatus(
                    actor=name,
                    leases=len(record.leases),
                    completed=record.completed,
                    idle_seconds=now - self.connections[name].heard if name in self.connections else 0.0,
                )
                for name, record in coordinator.ledger.actors.items()
            ],
            tasks=pb.TaskCounts(
                issued=counts.issued,
                completed=counts.completed,
                repeated=counts.repeated,
                failed=counts.failed,
                requeued=counts.requeued,
                outstanding=counts.outstanding,
                refused=coordinator.refused,
            ),
            reproducible=self.reproducible,
        )


def payload_limit(environment: EnvironmentSpec, episodes: int) -> int:
    """The most bytes that a trajectory's payload can have."""
    steps = environment.max_steps or STEPS_ASSUMED
    per_slot = 4 * (2 * environment.observation_size + environment.action_size + 2) + 3 + environment.choice_size
    return episodes * (steps * (len(environment.agents) * per_slot + 4) + 4)


class Connection:
    """One actor's stream: reads what it sends, and sends from a queue so that neither waits on the other."""

    def __init__(self, server: Server, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.name = "unnamed"
        self.wanted = 0
        self.heard = time.monotonic()
        self._server = server
        self._coordinator = server.coordinator
        self._context = context
        self._outbox: deque[bytes | pb.ToActor] = deque()
        self._ready = asyncio.Event()
        self._finished = False
        self._sent: set[int] = set()
        self._assembly = TrajectoryAssembly(server.limit)

    # -- as the coordinator sees it

    def send_task(self, task: Task, policy: PolicyVersion) -> None:
        """Have the actor play a task, after giving it the version if it has not got it."""
        self.wanted -= 1
        if policy.version not in self._sent:
            for frame in self._server.frames.of(policy):
                self.send(frame)
            self._sent.add(policy.version)
            keep = max(self._sent) - self._coordinator.config.lag
            self._sent = {version for version in self._sent if version >= keep}
        episodes = self._coordinator.config.episodes
        self.send(pb.ToActor(task=pb.RolloutTask(task=task_name(task), version=policy.version, episodes=episodes)))

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
        self.send(self._server.welcome)
        writing = asyncio.create_task(self._write())
        reading = asyncio.create_task(self._read())
        try:
            done, _ = await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
            if self._server.connections.get(self.name) is self:
                del self._server.connections[self.name]
                self._coordinator.leave(self.name)
                log.info("actor left", extra={"actor": self.name})

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
        except (TimeoutError, StopAsyncIteration):
            raise Unlawful(Code.DEADLINE_EXCEEDED, "no_hello", f"no hello within {HELLO_SECONDS:.0f} seconds") from None
        if first.WhichOneof("kind") != "hello":
            raise Unlawful(Code.INVALID_ARGUMENT, "no_hello", "the first message must be hello")
        self._greet(first.hello)
        async for message in messages:
            try:
                await self._handle(message)
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
            self._coordinator.metrics.received.inc(len(data))
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
        difference = first_difference(self._server.fingerprint, dict(hello.fingerprint))
        if difference and not self._coordinator.config.mixed_arithmetic:
            raise Unlawful(
                Code.FAILED_PRECONDITION,
                "fingerprint",
                f"unlike arithmetic, so the run would not be reproducible: {difference[:2000]};"
                " make them equal, or start the run with --mixed-arithmetic",
            )
        if hello.actor in self._server.connections:
            raise Unlawful(Code.ALREADY_EXISTS, "name_taken", f"an actor named {hello.actor!r} is connected already")
        self.name = hello.actor
        self._server.connections[self.name] = self
        self._coordinator.join(self)
        log.info("actor joined", extra={"actor": self.name, "remark": hello.remark[:1000]})

    async def _handle(self, message: pb.FromActor) -> None:
        kind = message.WhichOneof("kind")
        if kind == "progress":
            if message.progress.wanted:
                self._ask(message.progress.wanted)
        elif kind == "chunk":
            trajectory = self._assembly.add(message.chunk)
            if trajectory is not None:
                verdict = await self._coordinator.receive(self.name, trajectory)
                kept = verdict is Verdict.KEPT
                self.send(pb.ToActor(receipt=pb.Receipt(task=task_name(trajectory.task), kept=kept)))
        elif kind == "failed":
            failed = message.failed
            self._coordinator.fail(self.name, read_task(failed.task), failed.error[:1000], failed.traceback[:16000])
        else:
            raise MalformedData(f"{kind or 'an empty message'} is not expected now")

    def _ask(self, wanted: int) -> None:
        self.wanted += wanted
        held = len(self._coordinator.ledger.actors[self.name].leases)
        if self.wanted + held > LEASES_ALLOWED:
            raise Unlawful(
                Code.RESOURCE_EXHAUSTED,
                "greedy",
                f"{self.wanted} tasks asked for with {held} unfinished; at most {LEASES_ALLOWED}",
            )
        self._coordinator.ask(self.name)
