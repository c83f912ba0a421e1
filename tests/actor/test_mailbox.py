"""A stream is let go of when its mailbox is closed, not when the process ends.

gRPC's stream takes its own lock when it is dropped, and at the end of a process a thread of gRPC may have been stopped
for good with that lock in hand.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from chorus.actor.mailbox import Ended, Mailbox, StreamLost
from chorus.common.monitoring.metrics import ActorMetrics
from chorus.common.transport import channel
from chorus.common.transport.credentials import NOTHING
from chorus.protos.chorus.v1 import rollout_pb2 as pb


def says_goodbye(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    yield pb.ToActor(goodbye=pb.Goodbye(reason=pb.Goodbye.REASON_FINISHED)).SerializeToString()


def breaks_off(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    yield pb.ToActor(goodbye=pb.Goodbye(reason=pb.Goodbye.REASON_STOPPING)).SerializeToString()
    context.abort(grpc.StatusCode.ABORTED, "enough")


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is only dropped by the garbage collector stays."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("play", [says_goodbye, breaks_off])
def test_a_closed_mailbox_leaves_no_stream(play: Any) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(play, None, None)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(channel.SERVICE, {"Play": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with channel.open_channel(f"127.0.0.1:{port}", NOTHING) as line:
            with Mailbox(line, ActorMetrics(CollectorRegistry())) as mail:
                stream = weakref.ref(mail._call)
                assert isinstance(mail.take(10), pb.Goodbye)
                ended = mail.take(10)
            assert stream() is None
    finally:
        server.stop(None).wait()
    assert isinstance(ended, Ended)
    if play is breaks_off:
        assert isinstance(ended.fault, StreamLost)
        assert (ended.fault.code(), ended.fault.details()) == (grpc.StatusCode.ABORTED, "enough")
