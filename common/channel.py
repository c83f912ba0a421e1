"""The one place that knows how a gRPC connection is opened: limits, keepalive, method names and codecs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import grpc

from common.wire import MESSAGE_BYTES
from protos.chorus.v1 import rollout_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["Learner"].full_name
PLAY = f"/{SERVICE}/Play"
STATUS = f"/{SERVICE}/Status"

LIMITS = [
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
]
CLIENT_OPTIONS = [
    *LIMITS,
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
]
SERVER_OPTIONS = [
    *LIMITS,
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]


class Stream(Protocol):
    """An open stream as the actor uses it: messages in, until it ends or is cancelled."""

    def __iter__(self) -> Iterator[pb.ToActor]:
        """Wait for the next message; raises `grpc.RpcError` if the stream breaks."""
        ...

    def cancel(self) -> bool:
        """End the stream from this side."""
        ...


def open_channel(address: str) -> grpc.Channel:
    """A channel to the learner at HOST:PORT; the caller closes it."""
    return grpc.insecure_channel(address, options=CLIENT_OPTIONS)


def play(channel: grpc.Channel, messages: Iterator[pb.FromActor]) -> Stream:
    """Open an actor's stream."""
    method = channel.stream_stream(PLAY, pb.FromActor.SerializeToString, pb.ToActor.FromString)
    return cast("Stream", method(messages))


def status(channel: grpc.Channel, timeout: float) -> pb.StatusReply:
    """Ask the learner how the run stands.

    Raises:
        grpc.RpcError: it does not answer in `timeout` seconds.
    """
    method = channel.unary_unary(STATUS, pb.StatusRequest.SerializeToString, pb.StatusReply.FromString)
    return method(pb.StatusRequest(), timeout=timeout, wait_for_ready=True)


def to_actor_bytes(message: pb.ToActor | bytes) -> bytes:
    """Messages that go to many actors come here already encoded, once."""
    return message if isinstance(message, bytes) else message.SerializeToString()
