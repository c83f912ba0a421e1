"""`chorus health`: a probe. It asks the learner's health service, or `/healthz` or the health port of either."""

from __future__ import annotations

from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, build_opener

import grpc

from chorus.common.errors import ChorusError, ConnectionFault
from chorus.common.transport import channel
from chorus.common.transport.address import check_address
from chorus.common.transport.credentials import Credentials
from chorus.fleet.answer import no_answer


def probe(address: str, credentials: Credentials, timeout: float) -> int:
    """Say "ok", or raise what is wrong."""
    scheme, _, rest = address.rpartition("://")
    if scheme == "grpc":  # a health port: clear text by design, and one bit
        _learner(rest, Credentials(insecure=True), timeout)
    elif scheme:
        _web(address, credentials, timeout)
    else:
        _learner(rest, credentials, timeout)
    print("ok")
    return 0


def _learner(address: str, credentials: Credentials, timeout: float) -> None:
    check_address(address)
    with channel.open_channel(address, credentials) as line:
        try:
            serving = line.serving(timeout)
        except grpc.RpcError as fault:
            raise no_answer(address, timeout, fault) from fault
    if not serving:
        raise ChorusError(f"{address} is not well: `chorus status {address}` and its log say more")


def _web(address: str, credentials: Credentials, timeout: float) -> None:
    opener = build_opener(HTTPSHandler(context=credentials.for_web(server=False)))
    try:
        with opener.open(f"{address.rstrip('/')}/healthz", timeout=timeout) as reply:
            reply.read()
    except HTTPError as fault:
        raise ChorusError(f"{address} is not well: {fault.read(1000).decode(errors='replace').strip()}") from fault
    except (URLError, OSError) as fault:
        raise ConnectionFault(f"no answer from {address}: {fault}") from fault
