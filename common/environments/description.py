"""What an environment's agents see and do, written down, so that a policy can act where the environment is not."""

from __future__ import annotations

from math import inf

import msgspec

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import MalformedData


def encode(spec: EnvironmentSpec) -> bytes:
    """The specification as JSON, for people to read as well; JSON knows no infinity: a side without a bound is null."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"


def decode(data: bytes) -> EnvironmentSpec:
    """The specification that `encode` wrote.

    Raises:
        MalformedData: the bytes are none.
    """
    try:
        told = msgspec.json.decode(data)
        for agent in told["agents"]:
            agent["bounds"] = [
                (-inf if low is None else low, inf if high is None else high) for low, high in agent.get("bounds", [])
            ]
        return msgspec.convert(told, EnvironmentSpec)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise MalformedData(f"the description of an environment cannot be read: {fault}") from fault
