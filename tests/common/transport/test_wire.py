"""Trajectories and weights cross the wire in pieces and arrive the same, or are refused with the reason."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.errors import Corrupted, MalformedData
from chorus.common.policy.weights import make
from chorus.common.tasks.parts import Part, RunningDigest, divide
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory, digest
from chorus.common.transport import wire
from chorus.common.transport.wire import (
    CHUNK_BYTES,
    MESSAGE_BYTES,
    PartAssembly,
    WeightsAssembly,
    part_chunks,
    read_task,
    task_name,
    trajectory_chunks,
    weights_chunks,
)
from chorus.protos.chorus.v1 import rollout_pb2 as pb
from tests.playground import Game, Script, scripts, training_task, write_script
from tests.playground import settings as configured

LIMIT = 64 << 20


def played(seed: int = 3, **kind: Any) -> Trajectory:
    """Some trajectory."""
    script = write_script(seed=seed, time=8, episodes=4, agents=3, **kind)
    return Game.of(script, configured()).play(training_task(2, 1))


def large() -> Trajectory:
    """One of several chunks."""
    script = write_script(seed=1, time=40, episodes=32, agents=3, size=200)
    return Game.of(script, configured()).play()


def arrived(chunks: Iterator[pb.TrajectoryChunk], limit: int = LIMIT) -> Part:
    """What comes out of the other end, after each message of one part was bytes."""
    assembly = PartAssembly(limit)
    for chunk in chunks:
        found = assembly.add(pb.TrajectoryChunk.FromString(chunk.SerializeToString()))
        if found is not None:
            assert next(chunks, None) is None and assembly.empty
            return found
    raise AssertionError("it never became whole")


def whole(part: Part) -> str:
    """The digest of a trajectory of one part, which is one wave."""
    size = len(part.arrays["lengths"])
    arrays: dict[str, Any] = {"lengths": part.arrays["lengths"]}
    for name, array in part.arrays.items():
        if name != "lengths":
            arrays[name] = array.reshape(*((-1, size) if array.size else (0, 0)), *array.shape[1:])
    return digest(Trajectory(part.task, part.version, **arrays))


@settings(max_examples=50, deadline=None)
@given(script=scripts(bounds=st.sampled_from([(), ((0.0, 1.0),)])), update=st.integers(0, 2**32 - 1))
def test_a_part_arrives_as_it_was_sent(script: Script, update: int) -> None:
    (sent,) = divide(Game.of(script, configured()).play(training_task(update)))
    found = arrived(part_chunks(sent, RunningDigest().after(sent)))
    assert (found.task, found.version, found.place, found.last) == (sent.task, sent.version, sent.place, sent.last)
    assert RunningDigest().after(found) == RunningDigest().after(sent)
    for name, array in sent.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_a_large_one_comes_in_messages_of_bounded_size_whatever_its_own() -> None:
    sent = large()
    chunks = list(trajectory_chunks(sent))
    assert len(chunks) > 2
    assert all(len(chunk.data) <= CHUNK_BYTES and chunk.ByteSize() <= MESSAGE_BYTES for chunk in chunks)
    assert whole(arrived(iter(chunks))) == digest(sent)


def test_each_part_travels_with_the_digest_of_all_up_to_it() -> None:
    sent, hashed, assembly = large(), RunningDigest(), PartAssembly(LIMIT)
    parts = list(divide(sent, 5, 200_000))
    assert len(parts) > 10
    for part in parts:
        for chunk in part_chunks(part, hashed.after(part)):
            found = assembly.add(chunk)
        assert found is not None and found.place == part.place and found.last is (part is parts[-1])
        assert assembly.announced == chunk.sha256 if not chunk.offset else assembly.announced
    other = RunningDigest()
    assert [other.after(part) for part in parts][-1] == assembly.announced
    assert RunningDigest().after(parts[-1]) != assembly.announced


def test_arrays_are_views_of_what_arrived_and_not_copies() -> None:
    for sent, pieces in ((played(), 1), (large(), 3)):
        found = arrived(trajectory_chunks(sent))
        bases = {id(array.base if array.base is None else root(array)) for array in found.arrays.values() if array.size}
        assert len(bases) == 1, "all of one payload"
        assert all(
            not array.flags.writeable and not array.flags.owndata for array in found.arrays.values() if array.size
        )
        assert len(list(trajectory_chunks(sent))) >= pieces


def root(array: np.ndarray) -> Any:
    """What an array is a view of, in the end."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    return base


def test_a_chunk_of_one_message_is_not_copied_on_the_way_out_or_in() -> None:
    version = make(0, {"x": np.zeros(1000, np.float32)})
    (chunk,) = weights_chunks(version)
    assembly = wire.Assembly(LIMIT)
    arrived = assembly.add(0, len(version.data), version.data)
    assert arrived is not None and np.shares_memory(arrived, np.frombuffer(version.data, np.uint8))
    assert chunk.data == version.data


def test_a_payload_of_many_messages_is_there_once_and_in_no_pieces() -> None:
    """The peak of the receiving side, whose messages are made as they come."""
    pieces = 12
    total = pieces * CHUNK_BYTES
    assembly = wire.Assembly(total)
    tracemalloc.start()
    try:
        for number in range(pieces):
            found = assembly.add(number * CHUNK_BYTES, total, bytes([number]) * CHUNK_BYTES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None and found[::CHUNK_BYTES].tolist() == list(range(pieces))
    assert not found.flags.writeable and assembly.empty
    assert peak < total + 2 * CHUNK_BYTES


def test_noncontiguous_arrays_arrive_right() -> None:
    sent = played()
    turned = replace(sent, observations=np.asfortranarray(sent.observations), actions=sent.actions[::1])
    assert whole(arrived(trajectory_chunks(turned))) == digest(sent)


# -- what is refused

Spoiler = Callable[[list[pb.TrajectoryChunk]], list[pb.TrajectoryChunk]]


def changed(number: int, **fields: Any) -> Spoiler:
    """One chunk with other fields."""

    def spoil(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
        for name, value in fields.items():
            setattr(chunks[number], name, value)
        return chunks

    return spoil


def renamed(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    chunks[1].task.index = 77
    return chunks


def reordered(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    return [chunks[0], chunks[2], chunks[1], *chunks[3:]]


def repeated(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    return [chunks[0], chunks[1], *chunks[1:]]


def missing(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    return chunks[1:]


def restarted(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    return [chunks[0], *chunks]


def oversized(chunks: list[pb.TrajectoryChunk]) -> list[pb.TrajectoryChunk]:
    chunks[0].data = chunks[0].data + chunks[1].data[:1]
    return chunks


SPOILED: dict[str, tuple[Spoiler, str]] = {
    "chunks out of order": (reordered, "expected offset 1048576"),
    "a chunk twice": (repeated, "chunk at offset 1048576; expected offset 2097152"),
    "the first chunk missing": (missing, "chunk at offset 1048576; expected offset 0"),
    "a second beginning before the end": (restarted, "another part"),
    "a chunk of another task in between": (renamed, "another part"),
    "a chunk of another version in between": (changed(1, version=9), "another part"),
    "a chunk that is not sure whether its part is the last": (changed(1, last=False), "another part"),
    "another total in mid-course": (changed(1, total_bytes=5_000_000), "but was"),
    "an empty chunk": (changed(1, data=b""), "chunk of 0 bytes"),
    "a chunk that is too large": (oversized, "chunk of 1048577 bytes"),
    "no bytes in all": (changed(0, total_bytes=0), "total_bytes is 0"),
    "more bytes than are allowed": (changed(0, total_bytes=LIMIT + 1), f"expected 1 to {LIMIT}"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_chunks_that_break_the_contract_are_refused(how: str) -> None:
    spoil, message = SPOILED[how]
    with pytest.raises(MalformedData) as caught:
        arrived(iter(spoil(list(trajectory_chunks(large())))))
    assert message in str(caught.value)


def header(number: int, **fields: Any) -> Callable[[pb.TrajectoryChunk], None]:
    """Change the description of one array."""

    def spoil(chunk: pb.TrajectoryChunk) -> None:
        for name, value in fields.items():
            if name == "shape":
                del chunk.arrays[number].shape[:]
                chunk.arrays[number].shape.extend(value)
            else:
                setattr(chunk.arrays[number], name, value)

    return spoil


def remove_array(chunk: pb.TrajectoryChunk) -> None:
    del chunk.arrays[3]


def swap_arrays(chunk: pb.TrajectoryChunk) -> None:
    first = pb.ArrayHeader()
    first.CopyFrom(chunk.arrays[0])
    chunk.arrays[0].CopyFrom(chunk.arrays[1])
    chunk.arrays[1].CopyFrom(first)


def shorten(chunk: pb.TrajectoryChunk) -> None:
    chunk.data = chunk.data[:-1]
    chunk.total_bytes -= 1


def lengthen(chunk: pb.TrajectoryChunk) -> None:
    chunk.data += b"\0"
    chunk.total_bytes += 1


ACTED = Trajectory.NAMES.index("acted")
MASKS = Trajectory.NAMES.index("action_masks")

DESCRIBED: dict[str, tuple[Callable[[pb.TrajectoryChunk], None], str]] = {
    "an unknown name": (header(2, name="rewards"), "expected ['observations'"),
    "an array missing": (remove_array, "expected ['observations'"),
    "arrays in another order": (swap_arrays, "expected ['observations'"),
    "a type that is none of ours": (header(0, dtype="float64"), "dtype 'float64'; expected one of"),
    "a type that would run code": (header(0, dtype="object"), "dtype 'object'; expected one of"),
    "too many dimensions": (header(0, shape=[1] * 6), "6 dimensions; expected at most 4"),
    "a shape beyond the bytes": (header(0, shape=[2**32 - 1] * 4), "goes beyond"),
    "a shape that leaves bytes over": (header(-1, shape=[1, 1, 1]), "account for"),
    "a byte too few": (shorten, "goes beyond"),
    "a byte too many": (lengthen, "account for"),
    "an empty array with impossible sides": (
        header(MASKS, shape=[0, 2**32 - 1, 2**32 - 1, 2**32 - 1]),
        "impossible shape",
    ),
}


@pytest.mark.parametrize("how", DESCRIBED)
def test_arrays_that_are_not_what_they_claim_are_refused(how: str) -> None:
    spoil, message = DESCRIBED[how]
    (chunk,) = trajectory_chunks(played(cut=0.0, dies=1.0, masked=True))
    spoil(chunk)
    with pytest.raises(MalformedData) as caught:
        arrived(iter([chunk]))
    assert message in str(caught.value)


@pytest.mark.parametrize("byte", [2, 128, 255])
def test_a_truth_value_is_0_or_1(byte: int) -> None:
    (chunk,) = trajectory_chunks(sent := played())
    begin = sum(array.nbytes for name, array in list(sent.arrays.items())[:ACTED])
    data = bytearray(chunk.data)
    data[begin + 3] = byte
    chunk.data = bytes(data)
    with pytest.raises(MalformedData, match="acted holds a byte that is neither 0 nor 1"):
        arrived(iter([chunk]))


def test_after_a_refusal_of_one_stream_another_is_as_good_as_new() -> None:
    spoiled = list(trajectory_chunks(large()))[::-1]
    with pytest.raises(MalformedData):
        arrived(iter(spoiled))
    assert whole(arrived(trajectory_chunks(large()))) == digest(large())


@settings(max_examples=200, deadline=None)
@given(
    chunks=st.lists(
        st.builds(
            lambda purpose, index, total, offset, arrays, data: pb.TrajectoryChunk(
                task=pb.TaskName(purpose=purpose, update=0, index=index),
                total_bytes=total,
                offset=offset,
                arrays=[
                    pb.ArrayHeader(name=name, dtype=dtype, shape=shape)
                    for name, (dtype, shape) in zip(Trajectory.NAMES, arrays, strict=False)
                ],
                data=data,
            ),
            purpose=st.sampled_from([0, 1, 1, 1, 2, 3, 99]),
            index=st.integers(0, 1),
            total=st.integers(0, 60),
            offset=st.sampled_from([0, 0, 0, 5, 20, 2**63]),
            arrays=st.lists(
                st.tuples(
                    st.sampled_from(["float32", "int32", "bool", "f8"]),
                    st.lists(st.sampled_from([0, 1, 2, 2**32 - 1]), max_size=5),
                ),
                max_size=len(Trajectory.NAMES),
            ),
            data=st.binary(max_size=60),
        ),
        max_size=6,
    )
)
def test_nonsense_is_refused_and_never_crashes(chunks: list[pb.TrajectoryChunk]) -> None:
    assembly = PartAssembly(50)
    for chunk in chunks:
        try:
            found = assembly.add(chunk)
        except MalformedData as refusal:
            assert str(refusal)
            return
        assert found is None or isinstance(found, Part)


# -- tasks and weights


def test_tasks_have_the_same_name_on_both_sides() -> None:
    for task in (Task(0, Purpose.TRAINING, 0), Task(2**32 - 1, Purpose.EVALUATION, 2**32 - 1)):
        assert read_task(task_name(task)) == task
    for purpose in (0, 3, 99):
        with pytest.raises(MalformedData, match=f"purpose {purpose} is none"):
            read_task(pb.TaskName(purpose=purpose))  # type: ignore[arg-type]


def test_an_audit_has_the_name_of_what_it_repeats() -> None:
    assert task_name(Task(3, Purpose.AUDIT, 2)) == task_name(Task(3, Purpose.TRAINING, 2))


@pytest.mark.parametrize("numbers", [10, 300_000, 262_144 * 3])
def test_weights_arrive_as_they_were_made(numbers: int) -> None:
    version = make(5, {"x": np.arange(numbers, dtype=np.float32)})
    assembly = WeightsAssembly()
    found = [assembly.add(pb.WeightsChunk.FromString(chunk.SerializeToString())) for chunk in weights_chunks(version)]
    assert found[-1] == version and not any(found[:-1])


def test_weights_that_were_changed_or_mixed_on_the_way_are_refused() -> None:
    version, other = (make(number, {"x": np.full(400_000, number, np.float32)}) for number in (1, 2))
    chunks, others = list(weights_chunks(version)), list(weights_chunks(other))

    def receive(*pieces: pb.WeightsChunk) -> None:
        assembly = WeightsAssembly()
        for piece in pieces:
            assembly.add(piece)

    with pytest.raises(MalformedData, match="chunk of version 2 came before 1 was whole"):
        receive(chunks[0], others[1])
    with pytest.raises(MalformedData, match="expected offset 0"):
        receive(chunks[1])
    with pytest.raises(MalformedData, match="total_bytes"):
        assembly = WeightsAssembly(limit=1000)
        assembly.add(chunks[0])
    spoiled = pb.WeightsChunk()
    spoiled.CopyFrom(chunks[1])
    spoiled.data = spoiled.data[:-1] + b"\1"
    with pytest.raises(Corrupted):
        receive(chunks[0], spoiled)
