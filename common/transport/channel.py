"""The one place that knows how a gRPC connection is opened: limits, keepalive, credentials, method names, codecs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, cast

import grpc
from grpc_health.v1 import health_pb2

from chorus.common.transport.credentials import PROXY_OF_ENVIRONMENT, Credentials, is_loopback, refuse_clear_text
from chorus.common.transport.wire import MESSAGE_BYTES
from chorus.protos.chorus.v1 import rollout_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["Learner"].full_name
PLAY = f"/{SERVICE}/Play"
STATUS = f"/{SERVICE}/Status"
HEALTH = "/grpc.health.v1.Health/Check"

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
    ("grpc.max_concurrent_streams", 8),
    ("grpc.keepalive_time_ms", 15_000),  # longer than an actor may be silent: that way it is told why it was ended
    # A silent actor is noticed by `Connection.beat`. These are only for connections that are gone, and must not end one
    # that is slow: the first is TCP's patience too with what is not read, and an answer to a ping waits behind weights.
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.ping_timeout_ms", 600_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]


class Stream(Protocol):
    """An open stream as the actor uses it: messages in, until it ends or is cancelled."""

    def __iter__(self) -> Iterator[bytes]:
        """Wait for the next message, still encoded; raises `grpc.RpcError` if the stream breaks."""
        ...

    def cancel(self) -> bool:
        """End the stream from this side."""
        ...


class Line:
    """An open line to the learner, and what its calls carry. Whoever opened it closes it."""

    def __init__(self, channel: grpc.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
        self._channel = channel
        self._metadata = metadata

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every call and give the connection back."""
        self._channel.close()

    def play(self, messages: Iterator[pb.FromActor]) -> Stream:
        """Open an actor's stream."""
        method: Any = self._channel.stream_stream(PLAY, pb.FromActor.SerializeToString, None)
        return cast("Stream", method(messages, metadata=self._metadata))

    def status(self, timeout: float) -> pb.StatusReply:
        """Ask the learner how the run stands.

        Raises:
            grpc.RpcError: it does not answer in `timeout` seconds.
        """
        method = self._channel.unary_unary(STATUS, pb.StatusRequest.SerializeToString, pb.StatusReply.FromString)
        return method(pb.StatusRequest(), timeout=timeout, metadata=self._metadata, wait_for_ready=True)

    def serving(self, timeout: float) -> bool:
        """Ask the learner's health service whether the run moves.

        Raises:
            grpc.RpcError: it does not answer in `timeout` seconds.
        """
        method = self._channel.unary_unary(
            HEALTH, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
        )
        reply = method(health_pb2.HealthCheckRequest(), timeout=timeout, metadata=self._metadata, wait_for_ready=True)
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def open_channel(address: str, credentials: Credentials, name: str = "") -> Line:
    """A line to the learner at HOST:PORT, direct, or through the proxy that the credentials name.

    What `http_proxy` and its kin say of web pages is not followed: a stream that lasts for days is no web page. To this
    very machine there is never a proxy. `name` is the host that its certificate is for, where the address's is none.

    Raises:
        ConfigError: it would be in clear text beyond this machine, or a certificate cannot be read.
    """
    refuse_clear_text(address, credentials.calls_tls, credentials)
    tls = credentials.for_channel()
    options = [*CLIENT_OPTIONS, *_way(address, credentials.proxy)]
    if name:
        options.append(("grpc.ssl_target_name_override", name))
    if tls is None:
        channel = grpc.insecure_channel(address, options=options)
    else:
        channel = grpc.secure_channel(address, tls, options=options)
    return Line(channel, credentials.call_metadata)


def _way(address: str, proxy: str) -> list[tuple[str, str | int]]:
    """The options by which gRPC goes directly, through a proxy, or through that which the environment names."""
    if not proxy or is_loopback(address):
        return [("grpc.enable_http_proxy", 0)]
    return [] if proxy == PROXY_OF_ENVIRONMENT else [("grpc.http_proxy", proxy)]


def to_actor_bytes(message: pb.ToActor | bytes) -> bytes:
    """Messages that go to many actors come here already encoded, once."""
    return message if isinstance(message, bytes) else message.SerializeToString()
