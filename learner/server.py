"""The gRPC server: an adapter between streams and the coordinator. It decides nothing but whether a message is
lawful."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from common import config as configuration
from common.channel import HEALTH, SERVER_OPTIONS, SERVICE, to_actor_bytes
from common.credentials import Credentials, refuse_clear_text
from common.environment import EnvironmentSpec
from common.errors import Corrupted, MalformedData
from common.fingerprint import Fingerprint, chorus_version, first_difference
from common.logs import printable
from common.task import Task, version_for
from common.weights import PolicyVersion
from common.wire import TrajectoryAssembly, read_task, task_name, weights_chunks
from learner.allowance import Allowance
from learner.coordinator import Coordinator
from learner.ledger import NotLeased, Verdict
from protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.server")

HELLO_SECONDS = 300.0
STRANGERS_ALLOWED = 1024
LEASES_ALLOWED = 4
MESSAGES_PER_SECOND, MESSAGES_IN_RESERVE = 1000.0, 4000.0
STEPS_ASSUMED = 10_000
BEAT_SECONDS = 1.0
SILENT_BEATS = 10
STALLED_SECONDS = 300.0
LOOP_SECONDS = 30.0
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

    def __init__(self, coordinator: Coordinator, run: str, fingerprint: Fingerprint, credentials: Credentials) -> None:
        """Serve the coordinator's run to actors with this fingerprint."""
        self.coordinator = coordinator
        self._credentials = credentials
        self.fingerprint = fingerprint
        self.run = run
        self.frames = Frames(coordinator.config.lag + 2)
        config = configuration.encode(coordinator.config)
        self.config_digest = hashlib.sha256(config).digest()
        self.welcome = pb.ToActor(
            welcome=pb.Welcome(version=chorus_version(), run=run, config=config, sha256=self.config_digest)
        ).SerializeToString()
        self.limit = payload_limit(coordinator.environment, coordinator.config.episodes)
        self.connections: dict[str, Connection] = {}
        self.refusals: dict[str, int] = {}
        self._streams: set[Connection] = set()
        self._beat = time.monotonic()
        self._server = grpc.aio.server(interceptors=[_Token(self, credentials)], options=SERVER_OPTIONS)
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
            ConfigError: it is beyond this machine and there is no TLS, or a certificate cannot be read.
        """
        refuse_clear_text(address, self._credentials.serves_tls, self._credentials)
        tls = self._credentials.for_server()
        try:
            if tls is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, tls)
        except RuntimeError as fault:
            raise OSError(f"cannot listen at {address}: {fault}") from fault
        await self._server.start()
        return port

    async def watch(self) -> None:
        """Once a second: end the streams of actors that are silent or stuck, and tell the health service how it is."""
        while True:
            self._beat = time.monotonic()
            for stream in list(self._streams):
                stream.beat()
            ill = health_pb2.HealthCheckResponse.NOT_SERVING if self.ill() else health_pb2.HealthCheckResponse.SERVING
            for service in ("", SERVICE):
                await self._health.set(service, ill)
            await asyncio.sleep(BEAT_SECONDS)

    def ill(self) -> str:
        """What is wrong with this learner; empty if the run moves. Health is tied to progress, not to being alive."""
        now, coordinator = time.monotonic(), self.coordinator
        if now - self._beat > LOOP_SECONDS:
            return f"the event loop has been stuck for {now - self._beat:.0f} s"
        idle, patience = (
            now - coordinator.last_progress,
            max(STALLED_SECONDS, 2 * coordinator.config.learner.task_timeout),
        )
        if self.connections and idle > patience:
            return f"{len(self.connections)} actors are connected, but nothing has been done for {idle:.0f} s"
        return ""

    def refuse(self, reason: str) -> None:
        """Count a stream or call that is ended because of what it carried."""
        self.coordinator.refused += 1
        self.refusals[reason] = self.refusals.get(reason, 0) + 1
        self.coordinator.metrics.refusals.labels(reason).inc()

    async def stop(self, reason: pb.Goodbye.Reason, grace: float = 2.0) -> None:
        """Say goodbye to every actor, then end all streams."""
        for connection in self.connections.values():
            connection.send(pb.ToActor(goodbye=pb.Goodbye(reason=reason)))
            connection.finish()
        await self._server.stop(grace)

    async def _play(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        connection = Connection(self, context)
        self._streams.add(connection)
        try:
            if len(self._streams) - len(self.connections) > STRANGERS_ALLOWED:
                raise Unlawful(
                    Code.RESOURCE_EXHAUSTED,
                    "crowded",
                    f"{STRANGERS_ALLOWED} streams have not said hello yet; try later",
                )
            await connection.serve()
        except Unlawful as fault:
            self.refuse(fault.reason)
            log.warning("actor refused", extra={"actor": connection.name, "reason": fault.reason, "why": str(fault)})
            code, why = fault.code, str(fault)
            fault.__traceback__ = fault.__cause__ = fault.__context__ = None  # a cycle that would hold what was sent
            await context.abort(code, why)
        finally:
            self._streams.discard(connection)

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
                    remark=self.connections[name].remark if name in self.connections else "",
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
                audited=coordinator.audited,
                unequal=coordinator.unequal,
            ),
            reproducible=coordinator.reproducible,
            remarks=coordinator.remarks,
            refusals=self.refusals,
        )


class _Token(grpc.aio.ServerInterceptor):
    """Ends every call that does not know the token, if there is one; the health service tells anybody."""

    def __init__(self, server: Server, credentials: Credentials) -> None:
        self._server = server
        self._credentials = credentials

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method that was asked for, or one that refuses."""
        metadata = dict(handler_call_details.invocation_metadata or ())
        shown = str(metadata.get("authorization", ""))
        if handler_call_details.method == HEALTH or self._credentials.accepts(shown):
            return await continuation(handler_call_details)
        why = "the token is wrong" if shown else "a token is needed (--token-file or CHORUS_TOKEN)"

        async def refuse(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            self._server.refuse("unauthenticated")
            log.warning("call refused", extra={"peer": context.peer(), "reason": "unauthenticated", "why": why})
            await context.abort(Code.UNAUTHENTICATED, why)

        return grpc.stream_stream_rpc_method_handler(refuse)


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
        self.remark = ""
        self.heard = time.monotonic()
        self._server = server
        self._coordinator = server.coordinator
        self._context = context
        self._outbox: deque[bytes | pb.ToActor] = deque()
        self._ready = asyncio.Event()
        self._finished = False
        self._sent: set[int] = set()
        self._assembly = TrajectoryAssembly(server.limit)
        self._allowance = Allowance(MESSAGES_PER_SECOND, MESSAGES_IN_RESERVE, self.heard)
        self._silent_beats = 0
        self._stuck_beats = 0
        self._at: tuple[bytes, int] = (b"", 0)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
        order = pb.RolloutTask(
            task=task_name(task),
            version=policy.version,
            episodes=self._coordinator.config.episodes,
            weights=policy.sha256,
        )
        self.send(pb.ToActor(task=order))

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
            done, _ = await asyncio.wait({writing, reading, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
            if self._ended.done():
                self._ended.exception()
            self._ended.cancel()
            if self._server.connections.get(self.name) is self:
                del self._server.connections[self.name]
                self._coordinator.leave(self.name)
                log.info("actor left", extra={"actor": self.name})

    def beat(self) -> None:
        """Once a second: end a stream on which nothing comes, or whose actor gets no further.

        Beats are counted, not seconds: while this process is stopped nothing can come, and nobody is to blame.
        """
        if self.name not in self._server.connections or self._ended.done():
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
            if not self._allowance.spend(self.heard):
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
        if hello.config != self._server.config_digest:
            raise Unlawful(Code.DATA_LOSS, "corrupted", "the welcome's configuration did not arrive as it was sent")
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
        self.remark = printable(hello.remark[:1000])
        self._server.connections[self.name] = self
        self._coordinator.join(self, hello.only_audits, auditor=not difference)
        log.info("actor joined", extra={"actor": self.name, "remark": self.remark})
        if hello.impure:
            self._coordinator.doubt(self.remark or "the environment is not reproducible")
        if difference:
            self._coordinator.doubt(f"unlike arithmetic plays together: {difference[:1000]}")

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
            trajectory = self._assembly.add(message.chunk)
            if trajectory is not None:
                verdict = await self._coordinator.receive(self.name, trajectory, self._assembly.announced)
                kept = verdict is Verdict.KEPT
                self.send(pb.ToActor(receipt=pb.Receipt(task=task_name(trajectory.task), kept=kept)))
        elif kind == "failed":
            failed = message.failed
            self._coordinator.fail(self.name, read_task(failed.task), failed.error[:1000], failed.traceback[:16000])
        else:
            raise MalformedData(f"{kind or 'an empty message'} is not expected now")

    def _admit(self, chunk: pb.TrajectoryChunk) -> None:
        """See that a trajectory is wanted before its bytes are gathered."""
        task = self._coordinator.leased(self.name, read_task(chunk.task))
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
        self._coordinator.ask(self.name)
