"""Can this machine reach a learner? Name, port, TLS and the learner's own answer, one after the other."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Mapping

import grpc

from chorus.common.errors import ConfigError
from chorus.common.process.fingerprint import chorus_version
from chorus.common.transport import channel
from chorus.common.transport.credentials import Credentials, is_loopback
from chorus.doctor.finding import Finding, Verdict

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
"""The variables by which gRPC finds a proxy, the first that is set."""
EXEMPT = ("no_grpc_proxy", "no_proxy")


def proxies(address: str | None, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Proxies that the environment names: gRPC goes through them too."""
    named = {name: environment[name] for name in (*PROXIES, "HTTP_PROXY", "HTTPS_PROXY") if environment.get(name)}
    if not named:
        yield Finding("proxies", "none in the environment")
        return
    in_use = next((name for name in PROXIES if environment.get(name)), None)
    listed = ", ".join(sorted(named))
    if address is None or in_use is None:
        yield Finding("proxies", f"set: {listed}; gRPC reads {', '.join(PROXIES)}", Verdict.NOTE)
        return
    host = address.rpartition(":")[0].strip("[]")
    if is_loopback(address) or _exempt(host, environment):
        yield Finding("proxies", f"set: {listed}; not used for {host}")
        return
    yield Finding(
        "proxies",
        f"{in_use} is set: connections to {host} go through that proxy",
        Verdict.NOTE,
        f"if they fail, say no_grpc_proxy={host}",
    )


def _exempt(host: str, environment: Mapping[str, str]) -> bool:
    listed = next((environment[name] for name in EXEMPT if environment.get(name)), "")
    return any(host == entry or host.endswith(f".{entry.lstrip('.')}") for entry in listed.split(",") if entry)


def reach(address: str, credentials: Credentials, timeout: float) -> Iterator[Finding]:
    """Go to the learner step by step; the first step that fails is the last finding."""
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and port.isdecimal()):
        yield Finding("learner", f"{address!r} is no HOST:PORT", Verdict.PROBLEM, "write for example 10.0.0.7:50051")
        return
    try:
        places = sorted({str(found[4][0]) for found in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)})
    except OSError as fault:
        yield Finding("name", f"{host} is not known: {fault}", Verdict.PROBLEM, "check the spelling, and DNS here")
        return
    yield Finding("name", f"{host} is {', '.join(places)}")
    try:
        socket.create_connection((host, int(port)), timeout).close()
    except OSError as fault:
        yield Finding(
            "port",
            f"no connection to {address}: {fault}",
            Verdict.PROBLEM,
            "is the learner running, does --listen name an address that is reachable from here, is a firewall between?",
        )
        return
    yield Finding("port", f"{address} accepts connections")
    secured = _tls(host, int(port), credentials, timeout)
    yield secured
    if secured.verdict is not Verdict.PROBLEM:
        yield _answer(address, credentials, timeout)


def _tls(host: str, port: int, credentials: Credentials, timeout: float) -> Finding:
    speaks = _speaks_tls(host, port, timeout)
    if not credentials.calls_tls:
        if speaks:
            return Finding(
                "TLS", "the learner speaks TLS, but no authority is given", Verdict.PROBLEM, "give --tls-ca ca.pem"
            )
        return Finding("TLS", "none: the connection is in clear text")
    if not speaks:
        return Finding(
            "TLS",
            "an authority is given (--tls-ca), but the learner speaks clear text",
            Verdict.PROBLEM,
            "start the learner with --tls-cert and --tls-key, or leave --tls-ca out",
        )
    context = credentials.for_web(server=False)
    if context is None:
        raise ConfigError("credentials with an authority make a TLS context")
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            return Finding("TLS", f"{tls.version()}, the learner's certificate holds {_until(tls)}")
    except ssl.SSLCertVerificationError as fault:
        return Finding(
            "TLS",
            f"the learner's certificate is not accepted: {fault.verify_message}",
            Verdict.PROBLEM,
            "it must come from the authority of --tls-ca, name this host (`chorus certs --host`) and not have expired",
        )
    except OSError as fault:
        return Finding("TLS", f"the handshake failed: {fault}", Verdict.PROBLEM, "see the learner's log")


def _until(tls: ssl.SSLSocket) -> str:
    certificate = tls.getpeercert() or {}
    return f"until {certificate.get('notAfter', 'an unknown time')}"


def _speaks_tls(host: str, port: int, timeout: float) -> bool:
    """Whether a TLS handshake begins there, whoever the other side is: nothing is sent but that."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((host, port), timeout) as plain, context.wrap_socket(plain):
            return True
    except (ssl.SSLError, OSError):
        return False


def _answer(address: str, credentials: Credentials, timeout: float) -> Finding:
    try:
        with channel.open_channel(address, credentials) as line:
            reply = line.status(timeout)
    except ConfigError as fault:
        return Finding("learner", str(fault), Verdict.PROBLEM, "give certificates or --insecure")
    except grpc.RpcError as fault:
        remedy = "see the learner's log; where it asks for certificates of actors, give --tls-cert and --tls-key"
        if fault.code() is grpc.StatusCode.UNAUTHENTICATED:
            remedy = "give the token that the learner was started with: --token-file"
        return Finding("learner", f"{fault.code().name.lower()}: {fault.details()}", Verdict.PROBLEM, remedy)
    where = f"run {reply.run}, {reply.state}, update {reply.update} of {reply.updates}, {len(reply.actors)} actors"
    if reply.version != chorus_version():
        return Finding(
            "learner",
            f"{where}; it is Chorus {reply.version}, this is {chorus_version()}",
            Verdict.PROBLEM,
            f"an actor must have the learner's version: pip install chorus-marl=={reply.version}",
        )
    return Finding("learner", where)
