"""Many light actors in one process: `python -m tests.faults.crowd PORT STREAMS`.

Each has a connection and a stream of its own, says hello as an actor does, says every second that it lives, comes back
with a growing wait when it is turned away, and never asks for a task. It stands in for an actor process of 50 MB where
what counts is how many there are. SIGTERM makes all of them go; then it prints how many were inside at once.
"""

from __future__ import annotations

from chorus.common.process import arithmetic

arithmetic.pin()

import asyncio  # noqa: E402 (nothing may come before the line above)
import json  # noqa: E402
import random  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import grpc  # noqa: E402
import grpc.aio  # noqa: E402

from chorus.benchmarks.clients import hello  # noqa: E402
from chorus.common.transport.channel import CLIENT_OPTIONS, PLAY  # noqa: E402
from chorus.protos.chorus.v1 import rollout_pb2 as pb  # noqa: E402

BEAT_SECONDS = 1.0
BACKOFF_SECONDS = (0.2, 5.0)


class Crowd:
    """Counts who is inside."""

    def __init__(self, port: int) -> None:
        self.most = self.joined = self.turned_away = 0
        self._inside = 0
        self._port = port

    async def come(self, number: int) -> None:
        """One of them, until the run is finished."""
        wait = BACKOFF_SECONDS[0]
        while True:
            try:
                if await self._stay(number):
                    return
            except grpc.aio.AioRpcError:
                self.turned_away += 1
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(BACKOFF_SECONDS[1], 2 * wait)

    async def _stay(self, number: int) -> bool:
        own = ("chorus.crowd", number)  # else all of them would share one connection
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", [*CLIENT_OPTIONS, own]) as channel:
            call: Any = channel.stream_stream(PLAY, pb.FromActor.SerializeToString, pb.ToActor.FromString)()
            first = await call.read()
            if first is grpc.aio.EOF or first.WhichOneof("kind") != "welcome":
                return False
            await call.write(hello(f"light-{number}", first.welcome.config))
            beating = asyncio.create_task(self._beat(call))
            try:
                while (message := await call.read()) is not grpc.aio.EOF:
                    if message.WhichOneof("kind") == "goodbye":
                        return bool(message.goodbye.reason == pb.Goodbye.REASON_FINISHED)
                return False
            finally:
                beating.cancel()

    async def _beat(self, call: Any) -> None:
        self.joined += 1
        self._inside += 1
        self.most = max(self.most, self._inside)
        try:
            while True:
                await call.write(pb.FromActor(progress=pb.Progress()))
                await asyncio.sleep(BEAT_SECONDS)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream is over: `_stay` sees why
        finally:
            self._inside -= 1


async def main(port: int, streams: int) -> None:
    """Come all at once; say when half of them are in; go when told to."""
    crowd = Crowd(port)
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    coming = [asyncio.create_task(crowd.come(number)) for number in range(streams)]
    while crowd.most < streams // 2 and not told.is_set():
        await asyncio.sleep(0.1)
    print("half are in", flush=True)
    await told.wait()
    for one in coming:
        one.cancel()
    await asyncio.gather(*coming, return_exceptions=True)
    print(json.dumps({"most": crowd.most, "joined": crowd.joined, "turned_away": crowd.turned_away}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
