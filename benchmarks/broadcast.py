"""`broadcast`: a new policy version to many subscribers, beside raw gRPC writing the same bytes objects."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import grpc.aio
import numpy as np

from chorus.benchmarks.loopback import Forgetful, finish_client, raw_server, real_server, start_client
from chorus.benchmarks.measurement import Effort, seconds_each
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene
from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.tasks.task import Purpose, Task
from chorus.common.transport.wire import WeightsAssembly, weights_chunks

COLUMNS = (
    Column("megabytes", "MB", "d"),
    Column("subscribers", "subscribers", "d"),
    Column("seconds", "s", ".3f"),
    Column("limit_seconds", "raw gRPC s", ".3f"),
    Column("times_raw", "times raw", ".2f"),
    Column("megabytes_per_second", "MB/s in all", ",.0f"),
    Column("encoded_copies", "copies made in all", ".2f"),
)
VERSION_COLUMNS = (
    Column("megabytes", "MB", "d"),
    Column("make_milliseconds", "make ms", ".2f"),
    Column("encode_milliseconds", "encode ms", ".2f"),
    Column("assemble_milliseconds", "assemble and check ms", ".2f"),
)

PATIENCE_SECONDS = 60.0


def measure(effort: Effort) -> list[Table]:
    """Several sizes to several numbers of subscribers; and what a version costs each side once."""
    sizes = effort.pick([1], [1, 10], [1, 10, 100])
    counts = effort.pick([2], [64], [1, 16, 64])
    rows = [asyncio.run(_broadcast(size, count, effort)) for size in sizes for count in counts]
    return [
        Table(
            "broadcast",
            "From a version to its last byte at the last subscriber, by the learner's own server, encoding included;"
            " raw gRPC writes frames that are there already. Copies: memory that our code allots, in versions",
            COLUMNS,
            rows,
        ),
        Table(
            "version",
            "What a version costs once at the learner (file and digest; frames), and at each actor",
            VERSION_COLUMNS,
            [_version(size, effort) for size in sizes],
        ),
    ]


def _policy(version: int, megabytes: int) -> PolicyVersion:
    return make(version, {"all/weights": np.full(megabytes * 250_000, float(version), np.float32)})


async def _broadcast(megabytes: int, count: int, effort: Effort) -> Row:
    repetitions = max(1, min(effort.repetitions, effort.pick(1, 1300, 3200) // (megabytes * count)))
    scene = Scene.of({}, "environment.spec=spread?agents=3")
    policies = [_policy(number, megabytes) for number in range(repetitions + 2)]
    taken, raws = [], []
    crowd = _Crowd([bytes(chunk.data) for chunk in weights_chunks(policies[0])])
    async with real_server(scene) as (reception, server, port), raw_server(crowd.serve) as raw_port:
        ours = await start_client("receive", port, count)
        others = await start_client("receive-raw", raw_port, count)
        await _until(reception.changed, lambda: len(reception.asked) == count)
        await _until(crowd.changed, lambda: crowd.ready == count)
        await _send(reception, policies[0])
        await crowd.send(count)
        for policy in policies[1:-1]:
            taken.append(await _send(reception, policy))
            raws.append(await crowd.send(count))
        copies = _allotted(reception, policies[-1]) / len(policies[-1].data)
        for connection in server.connections.values():
            connection.finish()
        crowd.finish()
        await finish_client(ours)
        await finish_client(others)
    seconds, limit = median(taken), median(raws)
    return {
        "megabytes": megabytes,
        "subscribers": count,
        "seconds": seconds,
        "limit_seconds": limit,
        "times_raw": seconds / limit,
        "megabytes_per_second": megabytes * count / seconds,
        "encoded_copies": copies,
    }


async def _send(reception: Forgetful, policy: PolicyVersion) -> float:
    """Seconds until every subscriber has the version and says so."""
    reception.asked.clear()
    began = time.perf_counter()
    _queue(reception, policy)
    await _until(reception.changed, lambda: len(reception.asked) == len(reception.subscribers))
    return time.perf_counter() - began


def _queue(reception: Forgetful, policy: PolicyVersion) -> None:
    for subscriber in reception.subscribers.values():
        subscriber.send_task(Task(policy.version, Purpose.TRAINING, 0), policy)


def _allotted(reception: Forgetful, policy: PolicyVersion) -> int:
    """Bytes held after a version is queued for everybody and before any of it is sent."""
    tracemalloc.start()
    try:
        _queue(reception, policy)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


class _Crowd:
    """The raw side: streams that all get the same frames, and say when they have them."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self._rounds: list[asyncio.Queue[bool]] = []
        self.ready = 0
        self.changed = asyncio.Event()

    async def serve(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        orders: asyncio.Queue[bool] = asyncio.Queue()
        self._rounds.append(orders)
        while await context.read() is not grpc.aio.EOF:
            self.ready += 1
            self.changed.set()
            if not await orders.get():
                return
            for frame in self._frames:
                await context.write(frame)
            await context.write(b"task")

    async def send(self, count: int) -> float:
        self.ready = 0
        began = time.perf_counter()
        for orders in self._rounds:
            orders.put_nowait(True)
        await _until(self.changed, lambda: self.ready == count)
        return time.perf_counter() - began

    def finish(self) -> None:
        for orders in self._rounds:
            orders.put_nowait(False)


async def _until(changed: asyncio.Event, true: Callable[[], bool]) -> None:
    while not true():
        changed.clear()
        await asyncio.wait_for(changed.wait(), PATIENCE_SECONDS)


def _version(megabytes: int, effort: Effort) -> Row:
    policy = _policy(0, megabytes)
    chunks = list(weights_chunks(policy))

    def encode() -> None:
        for chunk in weights_chunks(policy):
            chunk.SerializeToString()

    def assemble() -> None:
        assembly = WeightsAssembly()
        for chunk in chunks:
            assembly.add(chunk)

    return {
        "megabytes": megabytes,
        "make_milliseconds": 1e3 * seconds_each(lambda: _policy(0, megabytes), effort),
        "encode_milliseconds": 1e3 * seconds_each(encode, effort),
        "assemble_milliseconds": 1e3 * seconds_each(assemble, effort),
    }
