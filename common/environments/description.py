"""What an environment's agents see and do, written down, so that a policy can act where the environment is not."""

from __future__ import annotations

import msgspec

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import MalformedData


def encode(spec: EnvironmentSpec) -> bytes:
    """The specification as JSON, a line for people to read as well."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"


def decode(data: bytes) -> EnvironmentSpec:
    """The specification that `encode` wrote.

    Raises:
        MalformedData: the bytes are none.
    """
    try:
        return msgspec.json.decode(data, type=EnvironmentSpec)
    except (msgspec.MsgspecError, ValueError) as fault:
        raise MalformedData(f"the description of an environment cannot be read: {fault}") from fault
