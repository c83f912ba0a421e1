"""The other side of the network benchmarks; prints JSON: `python -m chorus.benchmarks.clients KIND PORT …`

send PORT COUNT                 one actor that encodes and sends a trajectory over and over
send-raw PORT COUNT SPEC K      the same bytes over a raw stream
receive PORT STREAMS            actors that take whatever versions and tasks come, until the streams end
receive-raw PORT STREAMS        the same over raw streams
play PORT STREAMS               actors that answer every task at once, with a trajectory made beforehand
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import queue
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, cast

import grpc
import grpc.aio

from chorus.benchmarks.material import made_trajectory
from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.common.process.allocator import keep_freed_memory
from chorus.common.process.fingerprint import Fingerprint, chorus_version, fingerprint
from chorus.common.settings.config import decode
from chorus.common.tasks.task import Purpose, Task
from chorus.common.transport.channel import CLIENT_OPTIONS, PLAY, open_channel
from chorus.common.transport.credentials import NOTHING
from chorus.common.transport.wire import read_message, read_task, trajectory_chunks
from chorus.protos.chorus.v1 import rollout_pb2 as pb

RAW = "raw.Raw"
"""The service whose one method, `Move`, moves bytes as they are."""
SMALL = 4096
"""A message below this is a task or the like, above it a piece of weights, which is not looked into."""
FIRST = Task(0, Purpose.TRAINING, 0)
AHEAD = 4
HEARD_SECONDS = 3.0
"""A player that waits says so often enough not to be taken for gone."""


def hello(name: str, config: bytes) -> pb.FromActor:
    """How an actor of a run with this configuration introduces itself."""
    received = hashlib.sha256(config).digest()
    return pb.FromActor(
        hello=pb.Hello(actor=name, version=chorus_version(), config=received, fingerprint=_fingerprint(config))
    )


@cache
def _fingerprint(config: bytes) -> Fingerprint:
    settings = decode(config)
    environment = make(settings.environment.spec)
    try:
        policies = divide(environment.spec, settings.sharing, settings.network)
        return fingerprint(settings, environment.spec, policies)
    finally:
        environment.close()


def send(port: int, count: int) -> dict[str, float]:
    """See the module's head."""
    outbox: queue.Queue[pb.FromActor | None] = queue.Queue()
    with open_channel(f"127.0.0.1:{port}", NOTHING) as line:
        answers = map(read_message, line.play(iter(outbox.get, None)))
        welcome = next(answers).welcome
        config = decode(welcome.config)
        environment = make(config.environment.spec).spec
        outbox.put(hello("sender", welcome.config))
        trajectory = made_trajectory(environment, config.episodes, FIRST)

        def one() -> None:
            for chunk in trajectory_chunks(trajectory):
                outbox.put(pb.FromActor(chunk=chunk))

        return _paced(one, lambda: next(answers), count)


def send_raw(port: int, count: int, spec: str, episodes: int) -> dict[str, float]:
    """See the module's head."""
    trajectory = made_trajectory(make(spec).spec, episodes, FIRST)
    messages = [pb.FromActor(chunk=chunk).SerializeToString() for chunk in trajectory_chunks(trajectory)]
    outbox: queue.Queue[bytes | None] = queue.Queue()
    with grpc.insecure_channel(f"127.0.0.1:{port}", CLIENT_OPTIONS) as channel:
        answers: Any = cast("Any", channel.stream_stream(f"/{RAW}/Move"))(iter(outbox.get, None))

        def one() -> None:
            for message in messages:
                outbox.put(message)
            outbox.put(b"")

        return _paced(one, lambda: next(answers), count)


def _paced(one: Callable[[], None], answer: Callable[[], object], count: int) -> dict[str, float]:
    """Send `count` after a few to warm up, a few ahead of the answers."""
    for _ in range(AHEAD):
        one()
    for _ in range(AHEAD):
        answer()
    began, spent = time.perf_counter(), time.process_time()
    for number in range(count):
        one()
        if number >= AHEAD:
            answer()
    for _ in range(min(count, AHEAD)):
        answer()
    return {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - spent}


async def receive(port: int, streams: int) -> dict[str, float]:
    """See the module's head."""
    await asyncio.gather(*(_subscriber(port, number) for number in range(streams)))
    return {}


async def _subscriber(port: int, number: int) -> None:
    with suppress(grpc.aio.AioRpcError):  # the benchmark is over when its server is
        await _subscribe(port, number)


async def _subscribe(port: int, number: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", [*CLIENT_OPTIONS, _own(number)]) as channel:
        call: Any = channel.stream_stream(PLAY)()
        welcome = pb.ToActor.FromString(await call.read()).welcome
        await call.write(hello(f"subscriber-{number}", welcome.config).SerializeToString())
        ask = pb.FromActor(progress=pb.Progress(wanted=1)).SerializeToString()
        await call.write(ask)
        async for data in _messages(call):
            if len(data) < SMALL and pb.ToActor.FromString(data).WhichOneof("kind") == "task":
                await call.write(ask)


async def receive_raw(port: int, streams: int) -> dict[str, float]:
    """See the module's head."""

    async def one(number: int) -> None:
        with suppress(grpc.aio.AioRpcError):
            await subscribe(number)

    async def subscribe(number: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", [*CLIENT_OPTIONS, _own(number)]) as channel:
            call: Any = channel.stream_stream(f"/{RAW}/Move")()
            await call.write(b"there")
            async for data in _messages(call):
                if len(data) < SMALL:
                    await call.write(b"got it")

    await asyncio.gather(*(one(number) for number in range(streams)))
    return {}


async def play_streams(port: int, streams: int) -> dict[str, float]:
    """See the module's head."""
    shared: dict[str, Any] = {}
    answered = await asyncio.gather(*(_player(port, number, shared) for number in range(streams)))
    return {"tasks": float(sum(answered)), "least": float(min(answered)), "most": float(max(answered))}


async def _player(port: int, number: int, shared: dict[str, Any]) -> int:
    answered = 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", [*CLIENT_OPTIONS, _own(number)]) as channel:
        call: Any = channel.stream_stream(PLAY, pb.FromActor.SerializeToString, pb.ToActor.FromString)()
        welcome = (await call.read()).welcome
        config = decode(welcome.config)
        if not shared:
            environment = make(config.environment.spec).spec
            shared["one"] = made_trajectory(environment, config.episodes, FIRST)
        await call.write(hello(f"player-{number}", welcome.config))
        await call.write(pb.FromActor(progress=pb.Progress(wanted=1)))
        writing = asyncio.Lock()  # a call takes one message at a time
        waiting = asyncio.create_task(_be_heard(call, writing))
        try:
            async for message in _messages(call):
                if message.WhichOneof("kind") == "task":
                    order = message.task
                    played = replace(shared["one"], task=read_task(order.task), version=order.version)
                    async with writing:
                        await call.write(pb.FromActor(progress=pb.Progress(wanted=1)))
                        for chunk in trajectory_chunks(played):
                            await call.write(pb.FromActor(chunk=chunk))
                    answered += 1
                elif message.WhichOneof("kind") == "goodbye":
                    break
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    return answered


async def _be_heard(call: Any, writing: asyncio.Lock) -> None:
    while True:
        await asyncio.sleep(HEARD_SECONDS)
        async with writing:
            await call.write(pb.FromActor(progress=pb.Progress()))


async def _messages(call: Any) -> AsyncIterator[Any]:
    while (message := await call.read()) is not grpc.aio.EOF:
        yield message


def _own(number: int) -> tuple[str, int]:
    """An option that keeps channels from sharing a connection, as actors on unlike machines would not."""
    return ("chorus.bench", number)


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    keep_freed_memory()
    kind, port, *rest = arguments
    if kind == "send":
        report = send(int(port), int(rest[0]))
    elif kind == "send-raw":
        report = send_raw(int(port), int(rest[0]), rest[1], int(rest[2]))
    else:
        work = {"receive": receive, "receive-raw": receive_raw, "play": play_streams}[kind]
        report = asyncio.run(work(int(port), int(rest[0])))
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
