"""Who may talk to whom, and by which way: TLS certificates, the token, a proxy, named on the command line or in the
environment.

Both sides use the same four things. `authority` is the certificate authority that the other side must be signed by: an
actor given one speaks TLS and verifies the learner; a learner given one demands certificates of its actors too (mutual
TLS). `certificate` and `key` are a process's own. `token` is a word that both sides know.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from chorus.common.errors import ConfigError

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
        expected = f"Bearer {self.token}" if self.token else ""
        return not self.token or hmac.compare_digest(authorization.encode(), expected.encode())

    @property
    def call_metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def for_server(self) -> grpc.ServerCredentials | None:
        """What a gRPC server needs to speak TLS; None for clear text.

        Raises:
            ConfigError: a file cannot be read.
        """
        if self.certificate is None or self.key is None:
            return None
        pair = (_read(self.key, "--tls-key"), _read(self.certificate, "--tls-cert"))
        if self.authority is None:
            return grpc.ssl_server_credentials([pair])
        return grpc.ssl_server_credentials([pair], _read(self.authority, "--tls-ca"), require_client_auth=True)

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

    def environment(self) -> dict[str, str]:
        """The variables by which a process started on this machine has the same credentials, and no proxy."""
        named = {
            "CHORUS_TLS_CA": str(self.authority or ""),
            "CHORUS_TLS_CERT": str(self.certificate or ""),
            "CHORUS_TLS_KEY": str(self.key or ""),
            "CHORUS_TOKEN": self.token,
            "CHORUS_TOKEN_FILE": "",
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
    token = _read(token_file, "--token-file").decode().strip() if token_file else environment.get("CHORUS_TOKEN", "")
    if (token or token_file) and (len(token) < LEAST_TOKEN or not (token.isascii() and token.isprintable())):
        raise ConfigError(f"the token must be at least {LEAST_TOKEN} printable ASCII characters")
    return Credentials(
        file(authority, "CHORUS_TLS_CA"),
        file(certificate, "CHORUS_TLS_CERT"),
        file(key, "CHORUS_TLS_KEY"),
        token,
        insecure or bool(environment.get("CHORUS_INSECURE")),
        environment.get("CHORUS_PROXY", "") if proxy is None else proxy,
    )


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
