"""What a caller and the process that plays for it say to each other: a JSON header, then arrays as bytes.

No pickle: what comes out of an environment's process can be wrong, but never run anything here.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import numpy as np

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec

HEAD = struct.Struct("<QQ")
DTYPES = {"float32", "int32", "bool", "uint8"}

Arrays = dict[str, np.ndarray[Any, Any] | None]


class Gone(Exception):
    """The other side ended, or what came from it is no message."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        kind: what is asked, or what the answer is.
        values: plain values, as JSON has them.
        arrays: by name; None where there is none.
    """

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)


def send(to: socket.socket, message: Message) -> None:
    """Send a message whole.

    Raises:
        Gone: the other side ended.
    """
    present = {name: np.ascontiguousarray(array) for name, array in message.arrays.items() if array is not None}
    header = {
        "kind": message.kind,
        "values": message.values,
        "arrays": [[name, array.dtype.name, array.shape] for name, array in present.items()],
    }
    text = json.dumps(header).encode()
    payload = b"".join(array.tobytes() for array in present.values())
    try:
        to.sendall(HEAD.pack(len(text), len(payload)) + text + payload)
    except OSError as fault:
        raise Gone(str(fault)) from fault


def receive(source: socket.socket, seconds: float | None = None) -> Message:
    """Wait for a message.

    Raises:
        TimeoutError: none came in so many seconds.
        Gone: the other side ended.
    """
    source.settimeout(seconds)
    text_bytes, payload_bytes = HEAD.unpack(_exactly(source, HEAD.size))
    try:
        header = json.loads(_exactly(source, text_bytes))
    except ValueError as fault:
        raise Gone(f"not a message: {fault}") from fault
    payload = _exactly(source, payload_bytes)
    arrays: Arrays = {}
    start = 0
    for name, dtype, shape in header["arrays"]:
        if dtype not in DTYPES:
            raise Gone(f"{name} has dtype {dtype!r}")
        count = prod(shape)
        arrays[name] = np.frombuffer(payload, dtype, count, start).reshape(shape)
        start += count * np.dtype(dtype).itemsize
    return Message(header["kind"], header["values"], arrays)


def _exactly(source: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view, have = memoryview(data), 0
    while have < count:
        try:
            got = source.recv_into(view[have:])
        except TimeoutError:
            raise
        except OSError as fault:
            raise Gone(str(fault)) from fault
        if not got:
            raise Gone("it ended")
        have += got
    return data


def state_of(generator: np.random.Generator) -> Any:
    """A generator's state in plain values."""
    return _plain(generator.bit_generator.state)


def generator_of(state: Any) -> np.random.Generator:
    """The generator that had this state."""
    kinds = {"Philox": np.random.Philox, "PCG64": np.random.PCG64}
    bits = kinds[state["bit_generator"]]()
    bits.state = _with_arrays(state)
    return np.random.Generator(bits)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return {"uint64": [int(number) for number in value]}
    return int(value) if isinstance(value, int | np.integer) else value


def _with_arrays(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"uint64"}:
        return np.array(value["uint64"], np.uint64)
    return {key: _with_arrays(part) for key, part in value.items()} if isinstance(value, dict) else value


def spec_values(spec: EnvironmentSpec) -> dict[str, Any]:
    """A specification in plain values."""
    return asdict(spec)


def read_spec(values: dict[str, Any]) -> EnvironmentSpec:
    """The specification that `spec_values` wrote."""
    agents = tuple(
        AgentSpec(
            **agent
            | {
                "observation_shape": tuple(agent["observation_shape"]),
                "choices": tuple(agent["choices"]),
                "bounds": tuple((low, high) for low, high in agent["bounds"]),
            }
        )
        for agent in values["agents"]
    )
    return EnvironmentSpec(**values | {"agents": agents})
