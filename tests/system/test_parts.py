"""A task travels in parts while it is played; whatever becomes of some of them, it counts once, and whole."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from chorus.common.settings.config import decode
from chorus.common.tasks.parts import Part, RunningDigest, divide
from chorus.common.tasks.task import Purpose
from chorus.common.transport import channel
from chorus.common.transport.credentials import NOTHING
from chorus.common.transport.wire import part_chunks, read_task
from chorus.protos.chorus.v1 import rollout_pb2 as pb
from tests.system.processes import Chorus, Process, batches, until, weights
from tests.system.test_fuzz import Liar

WIDE = "tests.system.toys:Wide"
FEW = ("--env", WIDE, "--updates", "2", "--set", "task.episodes=16", "--set", "update.tasks=2")
LARGE = (*FEW, "--set", "network.encoder=8", "--set", "environment.proof=none")
SMALL = ("--updates", "1", "--set", "update.tasks=4")
ALLOWED = ("--allow-env", "tests.system.toys:*")
Chunks = list[pb.TrajectoryChunk]


@pytest.fixture(scope="module")
def peace(shared: Chorus) -> str:
    """The weights of a run that nothing happens to."""
    return weights(shared.train("peace", *LARGE, "--actors", "1"))


def received(learner: Process) -> float:
    """Bytes that a learner has received from actors."""
    port = learner.event("learner listens")["metrics_port"]
    with urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        lines = page.read().decode().splitlines()
    (found,) = (line for line in lines if line.startswith("chorus_received_bytes_total "))
    return float(found.split()[1])


def accounts(learner: Process) -> dict[str, Any]:
    """How a run's tasks were counted in the end."""
    (found,) = (event for event in learner.events() if event["event"] == "accounts")
    assert found["balanced"]
    return found


def test_an_actor_killed_after_some_parts_of_a_task_changes_nothing(chorus: Chorus, peace: str) -> None:
    learner, address = chorus.learner("run", *LARGE, "--metrics-port", "0")
    victim = chorus.actor(address, "victim", *ALLOWED, TOY_PAUSE="0.3")
    until(lambda: received(learner) > 4_000_000)
    assert not accounts_completed(learner), "it came while the first task was being played"
    victim.kill()
    chorus.actor(address, "other", *ALLOWED)
    learner.succeeded()
    assert accounts(learner)["requeued"] >= 1
    assert {task["actor"] for batch in batches(chorus.folder / "run") for task in batch["tasks"]} == {"other"}
    assert weights(chorus.folder / "run") == peace


def accounts_completed(learner: Process) -> bool:
    """Whether a task has been counted."""
    address = f"127.0.0.1:{learner.event('learner listens')['port']}"
    with channel.open_channel(address, NOTHING) as line:
        return bool(line.status(10).tasks.completed)


def test_a_task_that_fails_after_some_parts_is_played_by_another(chorus: Chorus, peace: str) -> None:
    learner, address = chorus.learner("run", *LARGE, "--metrics-port", "0")
    failing = chorus.actor(address, "failing", *ALLOWED, TOY_RAISES="1", TOY_PAUSE="0.3")
    failing.event("ready")
    other = chorus.actor(address, "other", *ALLOWED)
    failing.event("task failed")
    other.event("ready")
    learner.succeeded()
    assert accounts(learner)["failed"] >= 1
    assert weights(chorus.folder / "run") == peace


# -- what a stream may say


class Stream:
    """An actor by hand, which was given a task and has played it."""

    def __init__(self, line: grpc.Channel, liar: Liar) -> None:
        self._outbox: queue.SimpleQueue[pb.FromActor | None] = queue.SimpleQueue()
        serialise = pb.FromActor.SerializeToString
        self.call = line.stream_stream(channel.PLAY, serialise, pb.ToActor.FromString)(
            iter(self._outbox.get, None), timeout=60
        )
        self.say(liar.hello(), pb.FromActor(progress=pb.Progress(wanted=1)))
        order = next(reply.task for reply in self.call if reply.WhichOneof("kind") == "task")
        played = replace(liar.trajectory, task=read_task(order.task), version=order.version)
        digest, bound = RunningDigest(), played.observations.nbytes // 4
        self.name = order.task
        self.parts: list[Chunks] = [list(part_chunks(part, digest.after(part))) for part in divide(played, None, bound)]
        assert len(self.parts) > 3

    def say(self, *messages: pb.FromActor | None) -> None:
        for message in messages:
            self._outbox.put(message)

    def send(self, parts: list[Chunks]) -> None:
        self.say(*(pb.FromActor(chunk=chunk) for part in parts for chunk in part))

    def fail(self) -> None:
        self.say(pb.FromActor(failed=pb.TaskFailed(task=self.name, error="it fails")))

    def end(self) -> tuple[str, str]:
        """The status that it is ended with."""
        self.say(None)
        try:
            for _ in self.call:
                pass
        except grpc.RpcError as fault:
            return fault.code().name, fault.details() or ""
        return "OK", ""


def changed(parts: list[Chunks], number: int, **fields: Any) -> list[Chunks]:
    """One part begins with other fields."""
    for name, value in fields.items():
        setattr(parts[number][0], name, value)
    return parts


def failed_in_mid_course(stream: Stream) -> None:
    stream.send(stream.parts[:2])
    stream.fail()


def fails_and_goes_on(stream: Stream) -> None:
    failed_in_mid_course(stream)
    stream.send(stream.parts[2:])


def cut(stream: Stream) -> None:
    stream.send(stream.parts[:2])


STREAMS: dict[str, tuple[Callable[[Stream], object], str, str]] = {
    "a part twice": (lambda s: s.send([s.parts[0], *s.parts[0:1]]), "DATA_LOSS", "its digest is not the announced one"),
    "a second attempt over the first": (lambda s: s.send([*s.parts[:2], *s.parts]), "DATA_LOSS", "digest"),
    "a part missing": (lambda s: s.send([s.parts[0], *s.parts[2:]]), "DATA_LOSS", "its digest is not"),
    "the first part missing": (lambda s: s.send(s.parts[1:]), "DATA_LOSS", "its digest is not the announced one"),
    "parts out of order": (lambda s: s.send([s.parts[0], s.parts[2], s.parts[1]]), "DATA_LOSS", "its digest is not"),
    "a part that was changed": (
        lambda s: s.send(changed(s.parts, 1, data=bytes(len(s.parts[1][0].data)))),
        "DATA_LOSS",
        "its digest is not",
    ),
    "a part elsewhere": (lambda s: s.send(changed(s.parts, 1, step=17)), "DATA_LOSS", "its digest is not"),
    "a part too large": (
        lambda s: s.send(changed(s.parts, 1, total_bytes=(8 << 20) + 1)),
        "INVALID_ARGUMENT",
        "total_bytes is 8388609",
    ),
    "a part by another version": (lambda s: s.send(changed(s.parts, 1, version=3)), "FAILED_PRECONDITION", "version 3"),
    "some parts, and then a failure": (failed_in_mid_course, "OK", ""),
    "parts of a task that is not held any more": (fails_and_goes_on, "FAILED_PRECONDITION", "holds no lease"),
    "some parts, and then nothing": (cut, "OK", ""),
}


def test_whatever_parts_a_stream_sends_nothing_of_them_is_learned_from_but_a_whole(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *SMALL)
    with grpc.insecure_channel(address, options=channel.CLIENT_OPTIONS) as line:
        first = line.stream_stream(channel.PLAY, None, pb.ToActor.FromString)(iter(()), timeout=30)
        welcome = next(iter(first)).welcome
        liar = Liar(0, decode(welcome.config), welcome.config)
        for how, (act, code, why) in STREAMS.items():
            stream = Stream(line, liar)
            act(stream)
            found = stream.end()
            assert found[0] == code and why in found[1], f"{how}: {found}"
        with channel.open_channel(address, NOTHING) as opened:
            told = opened.status(10)
    assert not told.tasks.completed and not told.actors
    assert read_task(stream.name).purpose is Purpose.TRAINING
    chorus.actor(address, "honest")
    learner.succeeded()
    assert accounts(learner)["failed"] == 2
    assert weights(chorus.folder / "run") == weights(chorus.train("peace", *SMALL, "--actors", "1"))


def test_parts_by_digests_of_their_own_are_still_held_to_their_order(chorus: Chorus) -> None:
    """Where an actor computes the digest of what it really sends, the parts' places say what is wrong."""
    learner, address = chorus.learner("run", *SMALL)
    wrong: dict[str, Callable[[list[Part]], list[Part]]] = {
        "twice": lambda parts: [parts[0], *parts],
        "missing": lambda parts: [parts[0], *parts[2:]],
        "out of order": lambda parts: [parts[0], parts[2], parts[1]],
    }
    with grpc.insecure_channel(address, options=channel.CLIENT_OPTIONS) as line:
        first = line.stream_stream(channel.PLAY, None, pb.ToActor.FromString)(iter(()), timeout=30)
        welcome = next(iter(first)).welcome
        liar = Liar(0, decode(welcome.config), welcome.config)
        for how, spoil in wrong.items():
            stream = Stream(line, liar)
            played = replace(liar.trajectory, task=read_task(stream.name))
            digest = RunningDigest()
            sent = spoil(list(divide(played, None, played.observations.nbytes // 4)))
            stream.send([list(part_chunks(part, digest.after(part))) for part in sent])
            code, why = stream.end()
            assert code == "INVALID_ARGUMENT" and "expected episode 0, step" in why, f"{how}: {code} {why}"
    chorus.actor(address, "honest")
    learner.succeeded()
    assert accounts(learner)["refused"] == 3
