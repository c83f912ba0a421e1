"""The gRPC server: an adapter between streams and the coordinator. It decides nothing but whether a message is
lawful."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.opponents import archived
from chorus.common.process.fingerprint import Fingerprint, chorus_version
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.tasks.parts import slot_bytes, slots_of_part
from chorus.common.transport.address import cannot_listen
from chorus.common.transport.channel import HEALTH, SERVER_OPTIONS, SERVICE, to_actor_bytes
from chorus.common.transport.credentials import Credentials, is_loopback, refuse_clear_text
from chorus.common.transport.role import why_not_play
from chorus.learner.coordinator import Coordinator
from chorus.learner.service.connection import BEAT_SECONDS, Connection, Contract, Unlawful
from chorus.learner.service.frames import Frames
from chorus.learner.tasks.arrival import STEPS_ASSUMED
from chorus.protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.server")

STRANGERS_ALLOWED = 1024
STALLED_SECONDS = 300.0
LOOP_SECONDS = 30.0

Code = grpc.StatusCode


class Server:
    """All streams of one learner."""

    def __init__(self, coordinator: Coordinator, run: str, fingerprint: Fingerprint, credentials: Credentials) -> None:
        """Serve the coordinator's run to actors with this fingerprint."""
        self.coordinator = coordinator
        self._credentials = credentials
        self.run = run
        config = configuration.encode(coordinator.config)
        digest = hashlib.sha256(config).digest()
        welcome = pb.Welcome(version=chorus_version(), run=run, config=config, sha256=digest)
        self.connections: dict[str, Connection] = {}
        self._contract = Contract(
            coordinator,
            self.connections,
            Frames(_versions_held(coordinator.config)),
            pb.ToActor(welcome=welcome).SerializeToString(),
            digest,
            fingerprint,
            part_limit(coordinator.environment, coordinator.config.instances),
        )
        self.refusals: dict[str, int] = {}
        self._streams: set[Connection] = set()
        self._beat = time.monotonic()
        self._expired = ""
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
            ConnectionFault: the address cannot be had.
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
            raise cannot_listen("actors", address, "--listen", fault) from fault
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
            self._look_at_certificates()
            await asyncio.sleep(BEAT_SECONDS)

    def _look_at_certificates(self) -> None:
        """Say it once when one has expired: whoever is refused because of it only hears of a failed handshake."""
        expired = self._credentials.expired()
        if expired and expired != self._expired:
            log.error("a certificate has expired", extra={"certificate": expired})
        self._expired = expired

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
        connection = Connection(self._contract, context)
        self._streams.add(connection)
        try:
            if len(self._streams) - len(self.connections) > STRANGERS_ALLOWED:
                raise Unlawful(
                    Code.RESOURCE_EXHAUSTED,
                    "crowded",
                    f"{STRANGERS_ALLOWED} streams have not said hello yet; try later",
                )
            names = context.auth_context().get("x509_subject_alternative_name", ())
            if why := why_not_play(names, is_here(context.peer())):
                raise Unlawful(Code.PERMISSION_DENIED, "role", why)
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
                audited=coordinator.audits.done,
                unequal=coordinator.audits.unequal,
            ),
            reproducible=coordinator.reproducible,
            remarks=coordinator.irreproducible,
            refusals=self.refusals,
            learners=[
                pb.LearnerStatus(
                    rank=rank,
                    address=standing.address,
                    actors=standing.actors,
                    pending=standing.pending,
                    tasks=pb.TaskCounts(**standing.counts),
                )
                for rank, standing in enumerate(coordinator.joint.standings)
            ],
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


def is_here(peer: str) -> bool:
    """Whether a gRPC peer (`ipv4:127.0.0.1:4711`) is on this machine."""
    kind, _, address = unquote(peer).partition(":")
    return kind == "unix" or is_loopback(address)


def _versions_held(config: Config) -> int:
    """How many versions actors may still need, at most."""
    return config.lag + 2 + len(archived(config, config.updates)) + len(config.frozen)


def payload_limit(environment: EnvironmentSpec, episodes: int) -> int:
    """The most bytes that a trajectory can have."""
    return episodes * (environment.max_steps or STEPS_ASSUMED) * slot_bytes(environment)


def part_limit(environment: EnvironmentSpec, instances: int) -> int:
    """The most bytes that a part of a trajectory can have where so many episodes are played at once."""
    return slots_of_part(environment, instances) * slot_bytes(environment)
