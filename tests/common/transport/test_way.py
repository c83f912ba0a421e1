"""By which way a learner is called: directly, whatever the environment says, unless a proxy is asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import grpc
import pytest

from chorus.common.errors import ConfigError
from chorus.common.transport import channel
from chorus.common.transport.credentials import Credentials, read_credentials

VARIABLES = ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy")


PLACES = ("learner.invalid", "127.0.0.1:9", "localhost:9", "[::1]:9")


class Proxy:
    """Takes connections, keeps their first lines, and lets nobody through."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                line = connection.recv(1000).decode(errors="replace").partition("\r\n")[0]
                if any(place in line for place in PLACES):  # libraries in this process may call home meanwhile
                    self.asked.append(line)
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """One that every variable of the environment names."""
    started = Proxy()
    for name in VARIABLES:
        monkeypatch.setenv(name, started.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield started
    started.close()


def call(address: str, proxy: str = "") -> None:
    with (
        channel.open_channel(address, Credentials(insecure=True, proxy=proxy)) as line,
        pytest.raises(grpc.RpcError),
    ):
        line.status(1.0)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "localhost:9", "[::1]:9", "learner.invalid:50051"])
def test_no_variable_is_followed(proxy: Proxy, address: str) -> None:
    call(address)
    assert proxy.asked == []


@pytest.mark.parametrize("how", ["named", "environment"])
def test_a_remote_learner_is_called_through_the_proxy_that_is_asked_for(proxy: Proxy, how: str) -> None:
    call("learner.invalid:50051", proxy.url if how == "named" else "environment")
    assert proxy.asked and proxy.asked[0].startswith("CONNECT learner.invalid:50051")


@pytest.mark.parametrize("address", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_this_machine_is_never_called_through_one(proxy: Proxy, address: str) -> None:
    call(address, proxy.url)
    call(address, "environment")
    assert proxy.asked == []


def test_the_choice_is_read_from_the_command_line_and_from_the_environment() -> None:
    nothing = (None, None, None, None, False)
    named = {"CHORUS_PROXY": "http://proxy:3128"}
    assert read_credentials(*nothing, environment=named).proxy == "http://proxy:3128"
    assert read_credentials(*nothing, environment=named, proxy="environment").proxy == "environment"
    assert read_credentials(*nothing, environment={}).proxy == ""
    with pytest.raises(ConfigError, match=r"--proxy must be http://HOST:PORT"):
        read_credentials(*nothing, environment={}, proxy="socks5://proxy:1080")


def test_processes_started_on_this_machine_are_told_of_none_and_a_password_is_not_shown() -> None:
    credentials = Credentials(proxy="http://me:secret@proxy:3128")
    assert credentials.environment()["CHORUS_PROXY"] == ""
    assert "secret" not in repr(credentials)
