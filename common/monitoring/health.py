"""A gRPC health service in clear text, alone on a port of its own: for probes that can show no certificate.

A kubelet's probes and an image's HEALTHCHECK ask it. It tells one bit to anybody and takes nothing. Whoever asks makes
it look: an answer is never older than the question, so a process that is stuck cannot go on looking well.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from chorus.common.transport.address import cannot_listen
from chorus.common.transport.wire import MESSAGE_BYTES

Status = health_pb2.HealthCheckResponse
SERVING, NOT_SERVING = Status.SERVING, Status.NOT_SERVING

LIVE, READY = "live", "ready"
"""The services that can be asked for: is it well, and does it take part? The empty name is `live`."""
CALLERS = 2


class Health:
    """Serves until `close`."""

    def __init__(self, host: str, port: int, ill: Callable[[], str], ready: Callable[[], bool]) -> None:
        """Listen at HOST:PORT (port 0: any that is free); `ill` says what is wrong with the process, if anything.

        Raises:
            ConnectionFault: the address cannot be had.
        """
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MESSAGE_BYTES)]
        self._server = grpc.server(ThreadPoolExecutor(CALLERS, "health"), options=options)
        encoded: dict[bool, bytes] = {
            well: Status(status=SERVING if well else NOT_SERVING).SerializeToString() for well in (True, False)
        }
        answers: dict[str, Callable[[], bool]] = {
            "": lambda: not ill(),
            LIVE: lambda: not ill(),
            READY: lambda: not ill() and ready(),
        }

        def check(request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext) -> bytes:
            answer = answers.get(request.service)
            if answer is None:
                context.abort(grpc.StatusCode.NOT_FOUND, f"there are {', '.join(map(repr, answers))}")
                raise AssertionError("abort does not return")
            return encoded[answer()]

        handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            check, health_pb2.HealthCheckRequest.FromString, None
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(health.SERVICE_NAME, {"Check": handler}),)
        )
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as fault:
            raise cannot_listen("health checks", f"{host}:{port}", "--health-port", fault) from fault
        self._server.start()

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.stop(grace=0).wait()
