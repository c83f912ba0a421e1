"""`wire`: trajectories from an actor's arrays to the learner's, beside raw gRPC with the same bytes, and a copy."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import grpc.aio

from chorus.benchmarks.loopback import client, raw_server, real_server
from chorus.benchmarks.machine import copy_rate
from chorus.benchmarks.material import made_trajectory
from chorus.benchmarks.measurement import Effort, seconds_each
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene
from chorus.common.tasks.checking import validate
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import digest
from chorus.common.transport.wire import PartAssembly, trajectory_chunks
from chorus.protos.chorus.v1 import rollout_pb2 as pb

COLUMNS = (
    Column("episodes", "K", "d"),
    Column("megabytes", "MB", ".2f"),
    Column("megabytes_per_second", "MB/s", ",.0f"),
    Column("limit_megabytes_per_second", "raw gRPC", ",.0f"),
    Column("ratio", "ratio", ".2f"),
    Column("agent_steps_per_second", "agent-steps/s", ",.0f"),
    Column("processor_microseconds_per_task", "core µs per task", ",.0f"),
    Column("limit_processor_microseconds_per_task", "raw gRPC", ",.0f"),
    Column("memcpy_megabytes_per_second", "memcpy MB/s", ",.0f"),
)
CODEC_COLUMNS = (
    Column("episodes", "K", "d"),
    Column("encode_microseconds", "encode µs", ",.0f"),
    Column("decode_microseconds", "decode µs", ",.0f"),
    Column("memcpy_microseconds", "memcpy µs", ",.0f"),
    Column("copies", "worth of copies", ".1f"),
    Column("check_microseconds", "check µs", ",.0f"),
    Column("digest_microseconds", "digest µs", ",.0f"),
)
TASK = Task(0, Purpose.TRAINING, 0)


def measure(effort: Effort) -> list[Table]:
    """Tasks of several sizes through a real stream; the codec alone."""
    sizes = effort.pick([2], [32, 512], [32, 256, 2048])
    streams = [asyncio.run(_stream(episodes, effort)) for episodes in sizes]
    return [
        Table(
            "stream",
            "Encode, send, receive and decode over one stream to the learner's own server, two processes, in turns with"
            " a raw gRPC stream of the same bytes",
            COLUMNS,
            streams,
        ),
        Table(
            "codec",
            "Arrays to messages and back, on one core, and what the learner does with what it received",
            CODEC_COLUMNS,
            [_codec(episodes, effort) for episodes in sizes],
        ),
    ]


def _scene(episodes: int) -> Scene:
    return Scene.of({}, "environment.spec=spread?agents=3", f"task.episodes={episodes}")


async def _stream(episodes: int, effort: Effort) -> Row:
    scene = _scene(episodes)
    trajectory = made_trajectory(scene.spec, episodes, TASK)
    size = sum(pb.FromActor(chunk=chunk).ByteSize() for chunk in trajectory_chunks(trajectory))
    count = min(2_000, max(4, int(effort.pick(1e5, 1e8, 6e8) / size)))  # the server ends a flood of messages
    ours: list[dict[str, float]] = []
    raws: list[dict[str, float]] = []
    async with real_server(scene) as (_, _, port), raw_server(_swallow) as raw_port:
        for _ in range(effort.pick(2, 3, 5)):
            ours.append(await _timed("send", port, count))
            raws.append(await _timed("send-raw", raw_port, count, scene.config.environment.spec, episodes))
    seconds, limit = (median(each["seconds"] for each in both) / count for both in (ours, raws))
    spent, least = (median(each["processor_seconds"] for each in both) / count for both in (ours, raws))
    return {
        "episodes": episodes,
        "megabytes": size / 1e6,
        "megabytes_per_second": size / seconds / 1e6,
        "limit_megabytes_per_second": size / limit / 1e6,
        "ratio": limit / seconds,
        "agent_steps_per_second": trajectory.agent_steps / seconds,
        "processor_microseconds_per_task": 1e6 * spent,
        "limit_processor_microseconds_per_task": 1e6 * least,
        "memcpy_megabytes_per_second": copy_rate(size, effort) / 1e6,
    }


async def _timed(kind: str, port: int, count: int, *rest: object) -> dict[str, float]:
    """A client's run; the processor time of both sides (a little of this side's is the client's start)."""
    began = time.process_time()
    report = await client(kind, port, count, *rest)
    return report | {"processor_seconds": report["processor_seconds"] + time.process_time() - began}


async def _swallow(_: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Take bytes; answer after each empty message."""
    while (data := await context.read()) is not grpc.aio.EOF:
        if not data:
            await context.write(b"kept")


def _codec(episodes: int, effort: Effort) -> Row:
    scene = _scene(episodes)
    trajectory = made_trajectory(scene.spec, episodes, TASK)
    encoded = [pb.FromActor(chunk=chunk).SerializeToString() for chunk in trajectory_chunks(trajectory)]
    size = sum(len(data) for data in encoded)

    def encode() -> None:
        for chunk in trajectory_chunks(trajectory):
            pb.FromActor(chunk=chunk).SerializeToString()

    def decode() -> None:
        assembly = PartAssembly(2 * size)
        for data in encoded:
            assembly.add(pb.FromActor.FromString(data).chunk)

    coding, decoding = seconds_each(encode, effort), seconds_each(decode, effort)
    copy = size / copy_rate(size, effort)
    return {
        "episodes": episodes,
        "encode_microseconds": 1e6 * coding,
        "decode_microseconds": 1e6 * decoding,
        "memcpy_microseconds": 1e6 * copy,
        "copies": (coding + decoding) / copy,
        "check_microseconds": 1e6 * seconds_each(lambda: validate(trajectory, scene.spec, episodes), effort),
        "digest_microseconds": 1e6 * seconds_each(lambda: digest(trajectory), effort),
    }
