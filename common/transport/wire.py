"""Between Python objects and the messages of `protos/chorus/v1/rollout.proto`: big things in chunks, arrays as
bytes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, cast

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from chorus.common.errors import MalformedData
from chorus.common.policy.weights import PolicyVersion, receive
from chorus.common.tasks.parts import Part, Place, RunningDigest, divide
from chorus.common.tasks.room import zeros
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Array, Trajectory
from chorus.protos.chorus.v1 import rollout_pb2 as pb

CHUNK_BYTES = 1 << 20
MESSAGE_BYTES = CHUNK_BYTES + (64 << 10)
WEIGHTS_BYTES = 4 << 30
Bytes = NDArray[np.uint8]
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "int32": np.dtype("<i4"),
    "bool": np.dtype("?"),
    "uint8": np.dtype("u1"),
}


def read_message(data: bytes) -> pb.ToActor:
    """A message of the learner, decoded here and not by gRPC, so that nonsense is what it is.

    Raises:
        MalformedData: it is none.
    """
    try:
        return pb.ToActor.FromString(data)
    except DecodeError as fault:
        raise MalformedData(f"not a ToActor message: {fault}") from fault


def task_name(task: Task) -> pb.TaskName:
    """The message that names a task."""
    purpose = Purpose.TRAINING if task.purpose is Purpose.AUDIT else task.purpose
    return pb.TaskName(purpose=cast("pb.Purpose", int(purpose)), update=task.update, index=task.index)


def read_task(name: pb.TaskName) -> Task:
    """The task that a message names.

    Raises:
        MalformedData: its purpose is none.
    """
    if name.purpose not in (pb.PURPOSE_TRAINING, pb.PURPOSE_EVALUATION):
        raise MalformedData(f"task purpose {name.purpose} is none that this version knows")
    return Task(name.update, Purpose(name.purpose), name.index)


def part_chunks(part: Part, sha256: bytes) -> Iterator[pb.TrajectoryChunk]:
    """A part of a trajectory as messages of at most 1 MiB of payload, each made when it is asked for.

    Its arrays must stay as they are until the last message is made. `sha256` is the digest of all parts up to it.
    """
    arrays: dict[str, NDArray[Any]] = {name: np.ascontiguousarray(array) for name, array in part.arrays.items()}
    headers = [pb.ArrayHeader(name=name, dtype=array.dtype.name, shape=array.shape) for name, array in arrays.items()]
    name, total, offset = task_name(part.task), sum(array.nbytes for array in arrays.values()), 0
    for data in _pieces_of(list(arrays.values())):
        chunk = pb.TrajectoryChunk(
            task=name, version=part.version, total_bytes=total, offset=offset, data=data, last=part.last
        )
        if not offset:
            chunk.arrays.extend(headers)
            chunk.sha256, chunk.episode, chunk.step = sha256, part.place.episode, part.place.step
        yield chunk
        offset += len(data)


def trajectory_chunks(trajectory: Trajectory, instances: int | None = None) -> Iterator[pb.TrajectoryChunk]:
    """A whole trajectory, of waves of L episodes, as the messages in which it travels."""
    digest = RunningDigest()
    for part in divide(trajectory, instances):
        yield from part_chunks(part, digest.after(part))


def _pieces_of(arrays: list[NDArray[Any]]) -> Iterator[bytes]:
    """The bytes of arrays, one after the other, in pieces of 1 MiB, of which only one is there at a time."""
    piece = bytearray()
    for array in arrays:
        view = array.data.cast("B") if array.size else memoryview(b"")
        start = 0
        while start < len(view):
            taken = view[start : start + CHUNK_BYTES - len(piece)]
            piece += taken
            start += len(taken)
            if len(piece) == CHUNK_BYTES:
                yield bytes(piece)
                piece = bytearray()
    if piece:
        yield bytes(piece)


def weights_chunks(policy: PolicyVersion) -> Iterator[pb.WeightsChunk]:
    """A policy version as messages of at most 1 MiB of payload."""
    for offset, data in _pieces(policy.data):
        yield pb.WeightsChunk(
            version=policy.version,
            total_bytes=len(policy.data),
            offset=offset,
            data=data,
            sha256=b"" if offset else policy.sha256,
        )


def _pieces(payload: bytes) -> Iterator[tuple[int, bytes]]:
    if len(payload) <= CHUNK_BYTES:
        yield 0, payload
        return
    view = memoryview(payload)
    for offset in range(0, len(payload), CHUNK_BYTES):
        yield offset, bytes(view[offset : offset + CHUNK_BYTES])


class Assembly:
    """Collects the chunks of one payload after another, in order, never more than `limit` bytes of one.

    Each goes to its place at once, so that a payload is there once, not in pieces and put together. Memory that was
    announced but not filled yet is the kernel's still.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._payload: Bytes = np.empty(0, np.uint8)
        self._received = 0
        self._total = 0

    @property
    def empty(self) -> bool:
        """Whether the next chunk must begin a payload."""
        return not self._received

    def add(self, offset: int, total: int, data: bytes) -> Bytes | None:
        """Take a chunk; return the payload once it is whole, read-only.

        Raises:
            MalformedData: the chunk is empty, too large, out of order, or belongs to another payload.
        """
        if self.empty:
            if not 0 < total <= self._limit:
                raise MalformedData(f"total_bytes is {total}; expected 1 to {self._limit}")
            self._total = total
        if total != self._total:
            raise MalformedData(f"total_bytes is {total}, but was {self._total} in the first chunk")
        if offset != self._received:
            raise MalformedData(f"chunk at offset {offset}; expected offset {self._received}")
        if not 0 < len(data) <= min(CHUNK_BYTES, total - offset):
            raise MalformedData(f"chunk of {len(data)} bytes; expected 1 to {min(CHUNK_BYTES, total - offset)}")
        if len(data) == total:
            return np.frombuffer(data, np.uint8)
        if self.empty:
            self._payload = zeros((total,), np.dtype(np.uint8))
        self._payload[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
        self._received += len(data)
        if self._received < total:
            return None
        payload, self._payload, self._received = self._payload, np.empty(0, np.uint8), 0
        payload.flags.writeable = False
        return payload


class PartAssembly:
    """Makes parts of trajectories from the chunks of one stream."""

    def __init__(self, limit: int) -> None:
        self._bytes = Assembly(limit)
        self._first = pb.TrajectoryChunk()

    @property
    def empty(self) -> bool:
        """Whether the next chunk must begin a part."""
        return self._bytes.empty

    @property
    def announced(self) -> bytes:
        """The digest that the last part came with; whoever takes it sees that it fits."""
        return self._first.sha256

    def add(self, chunk: pb.TrajectoryChunk) -> Part | None:
        """Take a chunk; return the part once it is whole. Its arrays are views of the received bytes.

        Raises:
            MalformedData: the chunk is out of order, too large, or its arrays do not add up.
        """
        if self._bytes.empty:
            read_task(chunk.task)
            self._first = chunk
        elif (
            chunk.task != self._first.task
            or chunk.version != self._first.version
            or chunk.last != self._first.last
            or chunk.arrays
        ):
            raise MalformedData("a chunk of another part came before the last one was whole")
        payload = self._bytes.add(chunk.offset, chunk.total_bytes, chunk.data)
        return None if payload is None else _read_part(self._first, payload)


def _read_part(first: pb.TrajectoryChunk, payload: Bytes) -> Part:
    names = [header.name for header in first.arrays]
    if names != list(Trajectory.NAMES):
        raise MalformedData(f"arrays are {names}; expected {list(Trajectory.NAMES)}")
    arrays: dict[str, Array] = {}
    offset = 0
    for header in first.arrays:
        if header.dtype not in DTYPES:
            raise MalformedData(f"{header.name} has dtype {header.dtype!r}; expected one of {list(DTYPES)}")
        if len(header.shape) > 4:
            raise MalformedData(f"{header.name} has {len(header.shape)} dimensions; expected at most 4")
        dtype, count = DTYPES[header.dtype], prod(header.shape)
        if offset + count * dtype.itemsize > len(payload):
            raise MalformedData(
                f"{header.name} of shape {list(header.shape)} goes beyond the {len(payload)} bytes sent"
            )
        arrays[header.name] = _array(payload, header, count, offset)
        offset += count * dtype.itemsize
    if offset != len(payload):
        raise MalformedData(f"{len(payload)} bytes sent, but the arrays account for {offset}")
    return Part(read_task(first.task), first.version, Place(first.episode, first.step), first.last, arrays)


def _array(payload: Bytes, header: pb.ArrayHeader, count: int, offset: int) -> Array:
    """A view of `count` numbers of the payload."""
    if header.dtype == "bool" and np.frombuffer(payload, np.uint8, count, offset).max(initial=0) > 1:
        raise MalformedData(f"{header.name} holds a byte that is neither 0 nor 1")
    try:
        return np.frombuffer(payload, DTYPES[header.dtype], count, offset).reshape(header.shape)
    except ValueError as fault:  # an empty array with sides that no array can have
        raise MalformedData(f"{header.name} has an impossible shape {list(header.shape)}") from fault


class WeightsAssembly:
    """Makes policy versions from the chunks of one stream."""

    def __init__(self, limit: int = WEIGHTS_BYTES) -> None:
        self._bytes = Assembly(limit)
        self._first = pb.WeightsChunk()

    def add(self, chunk: pb.WeightsChunk) -> PolicyVersion | None:
        """Take a chunk; return the version once it is whole and its digest fits.

        Raises:
            MalformedData: the chunk is out of order, or the digest does not fit.
        """
        if self._bytes.empty:
            self._first = chunk
        elif chunk.version != self._first.version:
            raise MalformedData(f"a chunk of version {chunk.version} came before {self._first.version} was whole")
        payload = self._bytes.add(chunk.offset, chunk.total_bytes, chunk.data)
        return None if payload is None else receive(chunk.version, payload.tobytes(), self._first.sha256)
