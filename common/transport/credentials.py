"""Who may talk to whom, and by which way: TLS certificates, the token, a proxy, named on the command line or in the
environment.

Both sides use the same four things. `authority` is the certificate authority that the other side must be signed by: an
actor given one speaks TLS and verifies the learner; a learner given one demands certificates of its actors too (mutual
TLS). `certificate` and `key` are a process's own. `token` is a word that both sides know.

All of them may be rolled while processes live: a server looks at the files at every handshake and every call, a client
when it connects. Streams that are open stay open.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import grpc
from prometheus_client import Gauge

from chorus.common.errors import ConfigError
from chorus.common.transport.expiry import expired, expiry_seconds
from chorus.common.transport.watched import Watched

log = logging.getLogger("chorus.credentials")

T = TypeVar("T")

LEAST_TOKEN = 16
PROXY_OF_ENVIRONMENT = "environment"
"""In place of a proxy's URL: the one that `grpc_proxy`, `https_proxy` or `http_proxy` names."""


@dataclass(frozen=True)
class Credentials:
    """What a process shows to others, and what it asks of them. Nothing secret is ever part of its `repr`.

    Attributes:
        authority: PEM file of the authority that the other side's certificate must come from.
        certificate: PEM file of the own certificate.
        key: PEM file of its private key.
        token: that every call must carry; empty for none.
        token_file: where it is read from, anew for every call; the lines after the first are tokens that a server takes
            too, so that a fleet can go from one token to the next.
        insecure: talk in clear text beyond this machine.
        proxy: URL of the HTTP proxy through which a learner beyond this machine is called, `environment` for the one
            that the environment names, empty for none. It may hold a password.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: str = field(default="", repr=False)
    insecure: bool = False
    proxy: str = field(default="", repr=False)
    token_file: Path | None = None

    def __post_init__(self) -> None:
        if self.proxy and self.proxy != PROXY_OF_ENVIRONMENT and not self.proxy.startswith("http://"):
            raise ConfigError(
                f"--proxy must be http://HOST:PORT or {PROXY_OF_ENVIRONMENT!r} (gRPC speaks to proxies in plain HTTP;"
                " what goes through is encrypted all the same where TLS is used)"
            )
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--tls-cert and --tls-key belong together; give both or neither")

    @property
    def serves_tls(self) -> bool:
        """Whether a server of this process speaks TLS."""
        return self.certificate is not None

    @property
    def calls_tls(self) -> bool:
        """Whether a client of this process speaks TLS."""
        return self.authority is not None

    def accepts(self, authorization: str) -> bool:
        """Whether a call with this `authorization` header knows the token; the comparison takes constant time."""
        tokens = self._tokens()
        shown = authorization.encode()
        return not tokens or any(hmac.compare_digest(shown, f"Bearer {token}".encode()) for token in tokens)

    @property
    def call_metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        tokens = self._tokens()
        return (("authorization", f"Bearer {tokens[0]}"),) if tokens else ()

    def _tokens(self) -> tuple[str, ...]:
        """Those that hold now. A file that is away, or is no token file for a moment, changes nothing."""
        if self.token_file is not None:
            try:
                return read_tokens(self.token_file)
            except ConfigError as fault:
                log.warning("the token file cannot be read anew", extra={"why": str(fault)})
        return (self.token,) if self.token else ()

    def for_server(self) -> grpc.ServerCredentials | None:
        """What a gRPC server needs to speak TLS; None for clear text.

        Raises:
            ConfigError: a file cannot be read.
        """
        if self.certificate is None or self.key is None:
            return None
        watched = Watched(self.files)
        return grpc.dynamic_ssl_server_credentials(
            _server_files(self.certificate, self.key, self.authority),
            # gRPC's stubs do not know that None stands for "as before"
            self._anew(watched, partial(_server_files, self.certificate, self.key, self.authority)),  # type: ignore[arg-type]
            require_client_authentication=self.authority is not None,
        )

    def _anew(self, watched: Watched, read: Callable[[], T]) -> Callable[[], T | None]:
        """What to call before each handshake: what `read` gives if the files have changed and fit together."""

        def look() -> T | None:
            if not watched.changed():
                return None
            try:
                found = read()
            except ConfigError as fault:  # half rolled: the other half is a change again
                log.warning("certificates cannot be read anew; the old ones stay", extra={"why": str(fault)})
                return None
            log.info("certificates were read anew", extra={"files": [str(path) for path in self.files]})
            return found

        return look

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that TLS needs."""
        return tuple(path for path in (self.certificate, self.key, self.authority) if path is not None)

    @property
    def certificates(self) -> dict[str, Path]:
        """The files that hold certificates, by what they are: `own`, `authority`."""
        named = {"own": self.certificate, "authority": self.authority}
        return {name: path for name, path in named.items() if path is not None}

    def expired(self) -> str:
        """Which certificates hold no more, and since when; empty if all do."""
        return "; ".join(expired(iter(self.certificates.values())))

    def export_expiry(self, gauge: Gauge) -> None:
        """Have a metric with the label `certificate` say until when each holds."""
        for name, path in self.certificates.items():
            gauge.labels(name).set_function(partial(expiry_seconds, path))

    def for_channel(self) -> grpc.ChannelCredentials | None:
        """What a gRPC channel needs to speak TLS; None for clear text.

        Raises:
            ConfigError: a file cannot be read.
        """
        if self.authority is None:
            return None
        authority = _read(self.authority, "--tls-ca")
        if self.certificate is None or self.key is None:
            return grpc.ssl_channel_credentials(authority)
        return grpc.ssl_channel_credentials(
            authority, _read(self.key, "--tls-key"), _read(self.certificate, "--tls-cert")
        )

    def for_web(self, server: bool) -> ssl.SSLContext | None:
        """The same for a web server, or for a web client; None for clear text.

        Raises:
            ConfigError: a file cannot be read.
        """
        if not (self.serves_tls if server else self.calls_tls):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
            if self.authority is not None:
                context.load_verify_locations(self.authority)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as fault:
            raise ConfigError(f"TLS files cannot be used: {fault}") from fault
        return context

    def for_web_server(self) -> Callable[[], ssl.SSLContext] | None:
        """What gives a web server its context for the next connection: a new one when files have changed; None for
        clear text.

        Raises:
            ConfigError: a file cannot be read.
        """
        context = self.for_web(server=True)
        if context is None:
            return None
        held = [context]
        look = self._anew(Watched(self.files), partial(self.for_web, server=True))

        def current() -> ssl.SSLContext:
            found = look()
            if found is not None:
                held[0] = found
            return held[0]

        return current

    def environment(self) -> dict[str, str]:
        """The variables by which a process started on this machine has the same credentials, and no proxy."""
        named = {
            "CHORUS_TLS_CA": str(self.authority or ""),
            "CHORUS_TLS_CERT": str(self.certificate or ""),
            "CHORUS_TLS_KEY": str(self.key or ""),
            "CHORUS_TOKEN": "" if self.token_file else self.token,
            "CHORUS_TOKEN_FILE": str(self.token_file or ""),
            "CHORUS_INSECURE": "1" if self.insecure else "",
        }
        return {name: value for name, value in named.items() if value} | {"CHORUS_PROXY": ""}


NOTHING = Credentials()
"""No TLS, no token: enough on one machine."""


def read_credentials(
    authority: Path | None,
    certificate: Path | None,
    key: Path | None,
    token_file: Path | None,
    insecure: bool,
    environment: Mapping[str, str] = os.environ,
    proxy: str | None = None,
) -> Credentials:
    """The credentials that the command line names, else the environment (`CHORUS_TLS_CA`, `CHORUS_TLS_CERT`,
    `CHORUS_TLS_KEY`, `CHORUS_TOKEN` or `CHORUS_TOKEN_FILE`, `CHORUS_INSECURE`, `CHORUS_PROXY`).

    Raises:
        ConfigError: they do not fit together, a file cannot be read, or the token is too short to be one.
    """

    def file(given: Path | None, name: str) -> Path | None:
        return given or (Path(environment[name]) if environment.get(name) else None)

    token_file = file(token_file, "CHORUS_TOKEN_FILE")
    token = read_tokens(token_file)[0] if token_file else environment.get("CHORUS_TOKEN", "")
    if token:
        _check_token(token)
    return Credentials(
        file(authority, "CHORUS_TLS_CA"),
        file(certificate, "CHORUS_TLS_CERT"),
        file(key, "CHORUS_TLS_KEY"),
        token,
        insecure or bool(environment.get("CHORUS_INSECURE")),
        environment.get("CHORUS_PROXY", "") if proxy is None else proxy,
        token_file,
    )


def read_tokens(path: Path) -> tuple[str, ...]:
    """The tokens in a file, one a line: the first is shown, all are taken.

    Raises:
        ConfigError: it cannot be read, or a line is too short to be a token.
    """
    tokens = tuple(_read(path, "--token-file").decode("utf-8", "replace").split("\n"))
    tokens = tuple(token.strip() for token in tokens if token.strip()) or ("",)
    for token in tokens:
        _check_token(token)
    return tokens


def _check_token(token: str) -> None:
    if len(token) < LEAST_TOKEN or not (token.isascii() and token.isprintable()):
        raise ConfigError(f"the token must be at least {LEAST_TOKEN} printable ASCII characters")


def _server_files(certificate: Path, key: Path, authority: Path | None) -> grpc.ServerCertificateConfiguration:
    """A server's certificate, key and authority, as they are now, seen to fit together."""
    pair = (_read(key, "--tls-key"), _read(certificate, "--tls-cert"))
    roots = _read(authority, "--tls-ca") if authority is not None else None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as fault:
        raise ConfigError(f"--tls-cert {certificate} and --tls-key {key} do not go together: {fault}") from fault
    return grpc.ssl_server_certificate_configuration([pair], roots)


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT never leaves this machine."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost" or address.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_clear_text(address: str, tls: bool, credentials: Credentials) -> None:
    """See that nothing goes beyond this machine in clear text unless that is wanted.

    Raises:
        ConfigError: it would.
    """
    if not (tls or credentials.insecure or is_loopback(address)):
        raise ConfigError(
            f"{address} is beyond this machine, and without TLS anybody on the way could read and change everything;"
            " give certificates (--tls-cert, --tls-key, --tls-ca; `chorus certs` makes some) or say --insecure"
        )


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{option} {path}: {fault.strerror or fault}") from fault
