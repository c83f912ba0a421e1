"""The small web server beside every process: `/metrics` for Prometheus, `/healthz` for whoever restarts what is ill,
and at a learner the page on which its run is looked at."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from ssl import SSLContext, SSLError
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from chorus.common.transport.address import cannot_listen
from chorus.common.transport.credentials import Credentials, is_loopback, refuse_clear_text

REQUEST_SECONDS = 10.0
EVERYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True)
class Answer:
    """What is sent back: status, type, body, and headers beside them."""

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Site = Callable[[str, str], Answer | None]
"""Pages beside the metrics: the path and the `If-None-Match` of a request to what stands there, or to nothing."""


class Web:
    """Serves until `close`. `/metrics` and the site ask for the token if there is one; `/healthz` tells anybody a bit.

    A browser cannot show a bearer token, so the site also takes it as the password of HTTP's basic authentication.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        ill: Callable[[], str],
        credentials: Credentials,
        site: Site | None = None,
    ) -> None:
        """Listen at HOST:PORT (port 0: any that is free); `ill` says what is wrong with the process, if anything.

        Raises:
            ConnectionFault: the address cannot be had.
            ConfigError: it is beyond this machine and there is no TLS.
        """
        refuse_clear_text(f"{host}:{port}", credentials.serves_tls, credentials)
        tls = credentials.for_web_server()
        try:
            self._server = _Server((host, port), _handler(registry, ill, credentials, site), tls)
        except (OSError, OverflowError) as fault:
            raise cannot_listen("metrics", f"{host}:{port}", "--metrics-port or --metrics-host", fault) from fault
        scheme = "http" if tls is None else "https"
        self.address = f"{scheme}://{'localhost' if host in EVERYWHERE else host}:{self.port}/"
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
    registry: CollectorRegistry, ill: Callable[[], str], credentials: Credentials, site: Site | None
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        wbufsize = 1 << 16  # an answer's head and body leave together
        protocol_version = "HTTP/1.1"  # a viewer asks again and again: one connection will do
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
                self._answer(_text(503 if why else 200, why or "ok"))
            elif path == "/metrics":
                if not credentials.accepts(self.headers.get("Authorization", "")):
                    self._answer(_text(401, "a bearer token is needed, and the right one"))
                    return
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                self._answer(Answer(200, kind, encode(registry)))
            elif site is None:
                self._answer(_text(404, "here are /metrics and /healthz"))
            elif not _is_ours(self.headers.get("Host", ""), self.connection.getsockname()[0]):
                self._answer(_text(421, "this page is of this machine; open it as localhost"))
            elif not credentials.accepts(_as_bearer(self.headers.get("Authorization", ""))):
                self._answer(_text(401, "the run's token is needed, as the password; any name will do"))
            else:
                found = site(path, self.headers.get("If-None-Match", ""))
                self._answer(found or _text(404, "here are /, /metrics and /healthz"))

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("X-Content-Type-Options", "nosniff")
            if answer.status == 401:
                self.send_header("WWW-Authenticate", "Bearer")
                self.send_header("WWW-Authenticate", 'Basic realm="Chorus", charset="UTF-8"')
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """A line per scrape would drown what matters."""

    return Handler


def _text(status: int, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def _as_bearer(authorization: str) -> str:
    """The password of a `Basic` header as the bearer token that it stands for; any other header as it is."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        _, _, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return f"Bearer {password}"


def _is_ours(host: str, address: str) -> bool:
    """Whether a request that came in over loopback also names this machine.

    A page from elsewhere can have its own name lead to 127.0.0.1 and then read what a browser here may read.
    """
    name = host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]
    return not is_loopback(f"{address}:0") or is_loopback(f"{name}:0")
