"""The small web server beside every process: `/metrics` for Prometheus, `/healthz` for whoever restarts what is ill."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from ssl import SSLContext, SSLError
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from chorus.common.transport.address import cannot_listen
from chorus.common.transport.credentials import Credentials, refuse_clear_text

REQUEST_SECONDS = 10.0


class Web:
    """Serves until `close`. `/metrics` asks for the token if there is one; `/healthz` says one bit to anybody."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, ill: Callable[[], str], credentials: Credentials
    ) -> None:
        """Listen at HOST:PORT (port 0: any that is free); `ill` says what is wrong with the process, if anything.

        Raises:
            ConnectionFault: the address cannot be had.
            ConfigError: it is beyond this machine and there is no TLS.
        """
        refuse_clear_text(f"{host}:{port}", credentials.serves_tls, credentials)
        tls = credentials.for_web_server()
        try:
            self._server = _Server((host, port), _handler(registry, ill, credentials), tls)
        except (OSError, OverflowError) as fault:
            raise cannot_listen("metrics", f"{host}:{port}", "--metrics-port or --metrics-host", fault) from fault
        self._thread = threading.Thread(target=self._server.serve_forever, name="web", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        tls: Callable[[], SSLContext] | None,
    ) -> None:
        self._tls = tls
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket, Any]:
        line, caller = super().get_request()
        if self._tls is None:
            return line, caller
        # The handshake waits for the request's own thread, where a silent caller blocks nobody.
        return self._tls().wrap_socket(line, server_side=True, do_handshake_on_connect=False), caller

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that hangs up is no event worth a traceback."""


def _handler(
    registry: CollectorRegistry, ill: Callable[[], str], credentials: Credentials
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "chorus"
        sys_version = ""

        def handle(self) -> None:
            try:
                super().handle()
            except (SSLError, ConnectionError, TimeoutError):
                self.close_connection = True

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/healthz":
                why = ill()
                self._answer(503 if why else 200, "text/plain; charset=utf-8", f"{why or 'ok'}\n".encode())
            elif path != "/metrics":
                self._answer(404, "text/plain; charset=utf-8", b"here are /metrics and /healthz\n")
            elif not credentials.accepts(self.headers.get("Authorization", "")):
                self._answer(401, "text/plain; charset=utf-8", b"a bearer token is needed, and the right one\n")
            else:
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, kind, encode(registry))

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line per scrape would drown what matters."""

    return Handler
