"""Whatever is said to a learner or to an actor: no crash, no hang, nothing trained on, and a status that says why.

100 000 messages each with CHORUS_FUZZ_MESSAGES=100000; the suite itself says fewer.
"""

import logging
import os
import queue
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from dataclasses import replace
from hashlib import sha256
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from prometheus_client import CollectorRegistry

from chorus.actor.client import FINAL, Actor
from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import MalformedData, Refused
from chorus.common.monitoring.metrics import ActorMetrics
from chorus.common.policy.sharing import divide
from chorus.common.process.fingerprint import chorus_version, fingerprint
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config, decode, resolve
from chorus.common.tasks import parts
from chorus.common.tasks.task import Purpose, Task
from chorus.common.transport import channel
from chorus.common.transport.credentials import NOTHING
from chorus.common.transport.wire import part_chunks, read_task, weights_chunks
from chorus.learner.update.training import first_version
from chorus.protos.chorus.v1 import rollout_pb2 as pb
from tests.system.processes import Chorus, rows

MESSAGES = int(os.environ.get("CHORUS_FUZZ_MESSAGES", "1500"))
TIMEOUT = 120 + MESSAGES // 20
Message = tuple[str, bytes]


def mutated(draw: random.Random, data: bytes) -> bytes:
    """Some bits flipped, a piece cut out or doubled."""
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        if not changed:
            break
        place = draw.randrange(len(changed))
        how = draw.randrange(3)
        if how == 0:
            changed[place] ^= 1 << draw.randrange(8)
        elif how == 1:
            del changed[place : place + draw.randint(1, 64)]
        else:
            changed[place:place] = changed[place : place + draw.randint(1, 64)]
    return bytes(changed)


class Liar:
    """Makes messages to the learner of one run: proper ones, and all ways of breaking the contract."""

    def __init__(self, seed: int, config: Config, config_bytes: bytes) -> None:
        self.draw = random.Random(seed)
        environment = make(config.environment.spec)
        policies = divide(environment.spec, config.sharing, config.network)
        self.policy = first_version(config, policies)
        player = Player(environment, policies, config.seed)
        self.trajectory = player.play(self.policy, Task(0, Purpose.TRAINING, 0), config.episodes)
        self.fingerprint = fingerprint(config, environment.spec, policies)
        self.config_digest = sha256(config_bytes).digest()
        self._name = 0

    def hello(self) -> pb.FromActor:
        self._name += 1
        hello = pb.Hello(actor=f"liar-{self._name}", version=chorus_version(), config=self.config_digest)
        hello.fingerprint.update(self.fingerprint)
        return pb.FromActor(hello=hello)

    def answer(self, order: pb.RolloutTask | None, **changes: Any) -> list[pb.FromActor]:
        """A trajectory for a task, in chunks."""
        task = read_task(order.task) if order else Task(self.draw.randrange(5), Purpose.TRAINING, 3)
        (whole,) = parts.divide(replace(self.trajectory, task=task, version=order.version if order else 0))
        part = replace(whole, arrays={**whole.arrays, **changes})
        return [pb.FromActor(chunk=chunk) for chunk in part_chunks(part, parts.RunningDigest().after(part))]

    def lie(self, order: pb.RolloutTask | None) -> list[bytes]:
        """One way of breaking the contract, after a proper hello."""
        draw = self.draw
        kinds = [
            lambda: [draw.randbytes(draw.randint(0, 300))],
            lambda: [self.hello().SerializeToString()],
            lambda: [pb.FromActor(progress=pb.Progress(wanted=draw.randint(5, 2**31))).SerializeToString()],
            lambda: [b""],  # which gRPC takes for the end of the stream
            lambda: [self.failed(draw.choice([0, 1, 2, 7])).SerializeToString()],
            lambda: self.bytes_of(self.answer(None)),
            lambda: self.bytes_of(self.answer(order, log_probabilities=self.spoilt("log_probabilities", np.nan))),
            lambda: self.bytes_of(self.answer(order, observations=self.spoilt("observations", np.inf))),
            lambda: self.bytes_of(self.answer(order, actions=self.spoilt("actions", 1000))),
            lambda: self.bytes_of(self.answer(order, lengths=np.zeros(3, np.int32))),
            lambda: self.bytes_of(self.answer(order, team_rewards=np.zeros(1, np.float64))),
            lambda: self.chunk(order, episode=draw.choice([1, 2**31])),
            lambda: self.chunk(order, step=draw.choice([1, 2**31])),
            lambda: self.chunk(order, last=False),
            lambda: self.bytes_of(2 * self.in_parts(order)[:-1]),
            lambda: self.bytes_of(self.in_parts(order)[1:]),
            lambda: self.bytes_of(self.in_parts(order)[::-1]),
            lambda: self.bytes_of([*self.in_parts(order)[:-1], self.failed(1)]),
            lambda: self.chunk(order, offset=draw.randint(1, 2**40)),
            lambda: self.chunk(order, total_bytes=draw.choice([0, 2**32, 2**63])),
            lambda: self.chunk(order, version=draw.randint(1, 2**31)),
            lambda: self.chunk(order, data=b""),
            lambda: self.chunk(order, sha256=draw.randbytes(draw.choice([0, 5, 32]))),
            lambda: [mutated(draw, self.bytes_of(self.answer(order))[0])],
            lambda: [mutated(draw, self.hello().SerializeToString())],
        ]
        return draw.choice(kinds)()

    def in_parts(self, order: pb.RolloutTask | None) -> list[pb.FromActor]:
        """A proper trajectory, in several parts."""
        task = read_task(order.task) if order else Task(0, Purpose.TRAINING, 3)
        hashed = parts.RunningDigest()
        played = replace(self.trajectory, task=task, version=order.version if order else 0)
        divided = list(parts.divide(played, bound=played.observations.nbytes // 4))
        assert len(divided) > 2
        chunks = (chunk for part in divided for chunk in part_chunks(part, hashed.after(part)))
        return [pb.FromActor(chunk=chunk) for chunk in chunks]

    def bytes_of(self, messages: list[pb.FromActor]) -> list[bytes]:
        return [message.SerializeToString() for message in messages]

    def failed(self, purpose: int) -> pb.FromActor:
        name = pb.TaskName(purpose=purpose, update=self.draw.randrange(2**32), index=self.draw.randrange(2**32))  # type: ignore[arg-type]
        return pb.FromActor(failed=pb.TaskFailed(task=name, error="\x1b[2J" * 10, traceback="x" * 20_000))

    def chunk(self, order: pb.RolloutTask | None, **changes: Any) -> list[bytes]:
        (message,) = self.answer(order)
        for name, value in changes.items():
            setattr(message.chunk, name, value)
        return [message.SerializeToString()]

    def spoilt(self, name: str, value: float) -> Any:
        (whole,) = parts.divide(self.trajectory)
        array = whole.arrays[name].copy()
        array.flat[self.draw.randrange(array.size)] = value
        return array


def stream(line: Any, liar: Liar, sent: "Counter[str]") -> grpc.StatusCode | None:
    """One stream that ends with a lie; the status that it is ended with."""
    outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def messages() -> Iterator[bytes]:
        while (message := outbox.get()) is not None:
            yield message

    call = line.stream_stream(channel.PLAY, None, pb.ToActor.FromString)(messages(), timeout=30)
    lawful = liar.draw.random() < 0.9
    order = None
    try:
        if lawful:
            outbox.put(liar.hello().SerializeToString())
            if liar.draw.random() < 0.8:
                outbox.put(pb.FromActor(progress=pb.Progress(wanted=1)).SerializeToString())
                order = next((reply.task for reply in call if reply.WhichOneof("kind") == "task"), None)
        for message in liar.lie(order):
            sent["messages"] += 1
            outbox.put(message)
        outbox.put(None)
        for _ in call:
            pass
        return grpc.StatusCode.OK
    except grpc.RpcError as fault:
        code: grpc.StatusCode = fault.code()
        return code
    finally:
        outbox.put(None)
        call.cancel()


@pytest.mark.timeout(TIMEOUT)
def test_nothing_that_is_said_to_a_learner_hurts_it(chorus: Chorus) -> None:
    """Trained on is nothing, so the one update of this run is never made."""
    learner, address = chorus.learner("run", "--set", "update.tasks=1000", "--updates", "1", "--metrics-port", "0")
    answers: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    with grpc.insecure_channel(address, options=channel.CLIENT_OPTIONS) as line:
        first = line.stream_stream(channel.PLAY, None, pb.ToActor.FromString)(iter(()), timeout=10)
        welcome = next(iter(first)).welcome
        liar = Liar(0, decode(welcome.config), welcome.config)
        while sent["messages"] < min(200, MESSAGES):
            answers[str(stream(line, liar, sent))] += 1
        settled = psutil.Process(learner.pid).memory_info().rss
        while sent["messages"] < MESSAGES:
            answers[str(stream(line, liar, sent))] += 1
    grown = psutil.Process(learner.pid).memory_info().rss - settled
    print(dict(sent), dict(answers), f"memory {settled / 2**20:.0f} MB {grown / 2**20:+.1f} MB")
    allowed = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "DATA_LOSS", "ALREADY_EXISTS"}
    assert {name.removeprefix("StatusCode.") for name in answers} <= allowed
    with channel.open_channel(address, NOTHING) as opened:
        told = opened.status(10)
    print(dict(told.refusals), str(told.tasks).replace("\n", " "))
    assert grown < 16 << 20
    assert told.state == "training"
    assert not told.actors
    assert told.tasks.refused == sum(told.refusals.values()) > 0.5 * sum(answers.values())
    assert {"malformed", "not_leased", "corrupted", "wrong_version", "greedy"} <= set(told.refusals)
    assert told.tasks.issued == told.tasks.requeued + told.tasks.failed + told.tasks.completed + told.tasks.repeated
    assert not rows(chorus.folder / "run")
    assert "\x1b" not in learner.err.read_text()
    learner.popen.terminate()
    learner.succeeded()


class FalseLearner:
    """Says generated things to one actor after another; keeps none of what it hears."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.sent = 0
        spec = make("spread?agents=2")
        self.config = resolve(
            configuration.check({"environment": {"spec": "spread?agents=2"}, "task": {"episodes": 2}}), spec.spec
        )
        self.policy = first_version(self.config, divide(spec.spec, self.config.sharing, self.config.network))

    def play(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in self.speech():
            self.sent += 1
            yield message

    def speech(self) -> list[bytes]:
        draw = self.draw
        encoded = configuration.encode(self.config)
        digest = sha256(encoded).digest()
        welcome = pb.ToActor(welcome=pb.Welcome(version=chorus_version(), run="r", config=encoded, sha256=digest))
        weights = [pb.ToActor(weights=chunk) for chunk in weights_chunks(self.policy)]
        name = pb.TaskName(purpose=pb.PURPOSE_TRAINING, update=0, index=draw.randrange(4))
        task = pb.ToActor(task=pb.RolloutTask(task=name, version=0, episodes=2, weights=self.policy.sha256))
        proper = [welcome, *weights, task]
        lies = [
            pb.ToActor(task=pb.RolloutTask(task=name, version=draw.randrange(9), episodes=2)),
            pb.ToActor(task=pb.RolloutTask(version=0, episodes=0, weights=self.policy.sha256)),
            pb.ToActor(weights=pb.WeightsChunk(version=1, total_bytes=draw.choice([0, 1, 2**60]), data=b"x")),
            pb.ToActor(weights=pb.WeightsChunk(version=1, total_bytes=5, offset=3, data=b"xy")),
            pb.ToActor(weights=pb.WeightsChunk(version=1, total_bytes=3, data=b"abc", sha256=b"0" * 32)),
            pb.ToActor(receipt=pb.Receipt()),
            pb.ToActor(goodbye=pb.Goodbye(reason=draw.randrange(5))),  # type: ignore[arg-type]
            pb.ToActor(welcome=pb.Welcome(version="9.9", config=b"{}", sha256=sha256(b"{}").digest())),
            pb.ToActor(),
        ]
        said = [message.SerializeToString() for message in proper[: draw.randint(0, len(proper))]]
        said += [message.SerializeToString() for message in draw.choices(lies, k=draw.randint(1, 8))]
        if draw.random() < 0.5:
            place = draw.randrange(len(said))
            said[place] = mutated(draw, said[place])
        if draw.random() < 0.3:
            draw.shuffle(said)
        return said


@pytest.mark.timeout(TIMEOUT)
def test_nothing_that_is_said_to_an_actor_hurts_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It either goes on trying or refuses; both are as they should be, anything else is not."""
    monkeypatch.setattr(caplog.handler, "emit", lambda record: None)  # pytest would keep every line in memory
    monkeypatch.setattr(logging.getLogger("chorus"), "propagate", False)
    false = FalseLearner(0)
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(false.play, None, None)
    server = grpc.server(futures.ThreadPoolExecutor(4), options=channel.SERVER_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(channel.SERVICE, {"Play": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threads = threading.active_count()
    ends: Counter[str] = Counter()
    settled = 0
    try:
        exported = ActorMetrics(CollectorRegistry())
        while false.sent < MESSAGES:
            actor = Actor(f"127.0.0.1:{port}", "victim", "portable", exported)
            monkeypatch.setattr(actor, "_wait", lambda seconds: None)
            monkeypatch.setattr(actor, "_session", limited(actor, ends))
            try:
                actor.run()
                ends["came to an end"] += 1
            except Refused:
                ends["refused"] += 1
            if not settled and false.sent > min(200, MESSAGES // 2):
                settled = psutil.Process().memory_info().rss
    finally:
        server.stop(None).wait()
    grown = psutil.Process().memory_info().rss - settled
    print(false.sent, dict(ends), f"memory {settled / 2**20:.0f} MB {grown / 2**20:+.1f} MB")
    assert {"came to an end", "MalformedData"} <= set(ends)
    assert grown < (32 << 20) + 1500 * false.sent, "this process is both sides, and what says the wrong things"
    assert threading.active_count() <= threads + 4


def limited(actor: Actor, ends: "Counter[str]") -> Any:
    """Sessions that are counted by how they end; the actor stops after ten."""
    whole = actor._session
    sessions = 0

    def session() -> bool:
        nonlocal sessions
        sessions += 1
        if sessions == 10:
            actor.stopping.set()
        try:
            return whole()
        except MalformedData:
            ends["MalformedData"] += 1
            raise
        except grpc.RpcError as fault:
            ends["final status" if fault.code() in FINAL else "lost stream"] += 1
            raise

    return session
