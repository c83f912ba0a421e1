"""The real gRPC server on loopback with nothing behind it, and a raw one beside it that moves the same bytes.

Clients run in processes of their own (`python -m chorus.benchmarks.clients`), since both sides of a connection in one
Python would wait for each other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from chorus.benchmarks.clients import FIRST, RAW
from chorus.benchmarks.scene import Scene
from chorus.common.monitoring import metrics
from chorus.common.process import program
from chorus.common.process.fingerprint import fingerprint
from chorus.common.tasks.parts import Part
from chorus.common.tasks.room import Room
from chorus.common.tasks.task import Task
from chorus.common.transport.channel import SERVER_OPTIONS
from chorus.common.transport.credentials import NOTHING
from chorus.learner.coordinator import Coordinator
from chorus.learner.reception import Reception
from chorus.learner.service.server import Server
from chorus.learner.tasks.arrival import Arrival
from chorus.learner.tasks.dispatcher import Subscriber
from chorus.learner.tasks.ledger import Ledger, Verdict


class Forgetful(Reception):
    """Takes trajectories and forgets them."""

    def __init__(self, ledger: Ledger) -> None:
        """Nothing of a reception's own is made; `ledger` says who is there."""
        self.ledger = ledger
        self.subscribers: dict[str, Subscriber] = {}
        self.asked: set[str] = set()
        self.changed = asyncio.Event()

    @property
    def barred(self) -> set[str]:
        """Nobody is."""
        return set()

    def join(self, subscriber: Subscriber, only_audits: bool = False, auditor: bool = True) -> None:
        """An actor is there, and may answer the first task as often as it likes."""
        self.ledger.join(subscriber.name, only_audits, auditor)
        self.ledger.actors[subscriber.name].leases[FIRST] = 0.0
        self.subscribers[subscriber.name] = subscriber

    def leave(self, name: str) -> None:
        """An actor is gone."""
        self.ledger.leave(name)
        del self.subscribers[name]

    def ask(self, name: str) -> None:
        """An actor says that it has what it was sent."""
        self.asked.add(name)
        self.changed.set()

    def leased(self, name: str, task: Task) -> Task:
        """Whatever is answered was asked for."""
        return task

    async def receive(self, name: str, arrival: Arrival, part: Part, announced: bytes) -> Verdict | None:
        """A part came."""
        return Verdict.KEPT if part.last else None


class Sink(Coordinator):
    """As much of a coordinator as the server needs, with nothing to learn."""

    reception: Forgetful

    def __init__(self, scene: Scene) -> None:
        """Nothing of the coordinator's own is made."""
        self.config = scene.config
        self.environment = scene.spec
        self.room = Room()
        self.metrics = metrics.LearnerMetrics(metrics.registry())
        self.ledger = Ledger(60.0)
        self.refused = 0
        self.last_progress = 0.0
        self.reception = Forgetful(self.ledger)


@asynccontextmanager
async def real_server(scene: Scene) -> AsyncIterator[tuple[Forgetful, Server, int]]:
    """The learner's own server around a sink; yields its reception, the server and the port."""
    sink = Sink(scene)
    server = Server(sink, "bench", fingerprint(scene.config, scene.spec, scene.policies), NOTHING)
    try:
        yield sink.reception, server, await server.start("127.0.0.1:0")
    finally:
        await server._server.stop(0)


@asynccontextmanager
async def raw_server(method: Any) -> AsyncIterator[int]:
    """A server whose one stream method `Move` takes and gives bytes as they are; yields the port."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    handlers: dict[str, Any] = {"Move": grpc.stream_stream_rpc_method_handler(method, None, None)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(RAW, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)


async def client(kind: str, *arguments: object) -> dict[str, float]:
    """Run a client process to its end; what it reports."""
    process = await start_client(kind, *arguments)
    return await finish_client(process)


async def start_client(kind: str, *arguments: object) -> asyncio.subprocess.Process:
    """Start a client process."""
    command = program.module_command("chorus.benchmarks.clients", kind, *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def finish_client(process: asyncio.subprocess.Process) -> dict[str, float]:
    """Wait for a client's end; what it reports."""
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"a client of the benchmark ended with {process.returncode}")
    report: dict[str, float] = json.loads(out)
    return report
