"""A stream ends in order: gRPC takes no status while a message is under way, and would leave the stream as it is for
ever."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.learner.service.connection import Connection, Contract, Unlawful
from chorus.learner.service.frames import Frames


class Context:
    """A stream on which nonsense comes at once, while what is sent takes its time."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.writing = False

    async def read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        self.writing = True
        await asyncio.sleep(0.05)
        self.writing = False
        self.sent.append(data)


def test_a_stream_is_ended_after_what_is_half_sent_and_before_what_is_not() -> None:
    async def end() -> None:
        metrics = LearnerMetrics(CollectorRegistry())
        coordinator = cast(Any, SimpleNamespace(metrics=metrics))
        contract = Contract(coordinator, {}, Frames(1), b"welcome", b"", {}, 1000)
        context = Context()
        connection = Connection(contract, cast(Any, context))
        connection.send(b"before the welcome")
        with pytest.raises(Unlawful, match="first message must be hello"):
            await connection.serve()
        assert not context.writing
        assert len(context.sent) == 1

    asyncio.run(end())
