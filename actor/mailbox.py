"""One stream's mail: what goes to the learner, and what came from it, sorted. It decides nothing.

gRPC writes and reads on threads of its own; the thread that plays meets them only at two queues and the versions here.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import grpc

from chorus.common.errors import MalformedData
from chorus.common.monitoring.metrics import ActorMetrics
from chorus.common.policy.opponents import newest_of
from chorus.common.policy.weights import PolicyVersion
from chorus.common.transport import channel
from chorus.common.transport.wire import WeightsAssembly, read_message, read_task
from chorus.protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.actor")


class StreamLost(grpc.RpcError):
    """The status that a stream ended with, without the stream."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode:
        """Why, for programs."""
        return self._code

    def details(self) -> str:
        """Why, for people."""
        return self._details


@dataclass(frozen=True)
class Ended:
    """The stream is over."""

    fault: StreamLost | MalformedData | None


class Mailbox:
    """The messages of one stream, which is open as long as this is entered.

    Attributes:
        broken: set once nothing that is asked for on this stream is wanted any more: it ended, or the learner is about
            to end it.
        needs: whether tasks may still need a version, by the newest that is here and the one in question.
    """

    def __init__(self, line: channel.Line, metrics: ActorMetrics) -> None:
        """Open a stream on the line."""
        self.broken = threading.Event()
        self.needs: Callable[[int, int], bool] = lambda newest, version: version >= newest
        self._metrics = metrics
        self._outbox: queue.SimpleQueue[pb.FromActor | Iterator[pb.FromActor] | None] = queue.SimpleQueue()
        self._inbox: queue.SimpleQueue[pb.Welcome | pb.RolloutTask | pb.Goodbye | Ended] = queue.SimpleQueue()
        self._versions: dict[int, PolicyVersion] = {}
        self._call = line.play(self._leaving())
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Mailbox:
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._outbox.put(None)
        self._call.cancel()
        self._reader.join()
        del self._call  # see `_read`

    def send(self, message: pb.FromActor) -> None:
        """Have a message sent."""
        self._outbox.put(message)

    def send_all(self, messages: Iterator[pb.FromActor]) -> threading.Event:
        """Have messages sent one after another, each made only when the one before it is on its way.

        Returns:
            what is set once the last of them was made, so that nothing of what they were made from is held any more.
        """
        made = threading.Event()
        self._outbox.put(_until_made(messages, made))
        return made

    def take(self, seconds: float) -> pb.Welcome | pb.RolloutTask | pb.Goodbye | Ended:
        """The next message that something must be done about.

        Raises:
            queue.Empty: none came in so many seconds.
        """
        return self._inbox.get(timeout=seconds)

    def policy(self, order: pb.RolloutTask) -> PolicyVersion:
        """The version that a task is to be played by.

        Raises:
            MalformedData: it was not sent before the task, or not as the task names it.
        """
        policy = self._versions.get(order.version)
        if policy is None:
            raise MalformedData(f"{read_task(order.task)} needs version {order.version}, which was not sent")
        if policy.sha256 != order.weights:
            raise MalformedData(
                f"{read_task(order.task)} is to be played by other weights than were sent as version {order.version}"
            )
        return policy

    def past(
        self, order: pb.RolloutTask, versions: Sequence[int], named: Mapping[int, str]
    ) -> dict[int, PolicyVersion]:
        """The other versions that a task's opponents play by; `named` are the digests that the configuration tells.

        Raises:
            MalformedData: one was not sent before the task, or is not the one that the configuration names.
        """
        missing = [version for version in versions if version not in self._versions]
        if missing:
            raise MalformedData(
                f"an opponent in {read_task(order.task)} needs version {missing[0]}, which was not sent"
            )
        found = {version: self._versions[version] for version in versions}
        for version, sha256 in named.items():
            if version in found and found[version].sha256.hex() != sha256:
                raise MalformedData(
                    f"an opponent in {read_task(order.task)} is to play by other weights than the configuration names"
                )
        return found

    def _leaving(self) -> Iterator[pb.FromActor]:
        while (message := self._outbox.get()) is not None:
            if isinstance(message, pb.FromActor):
                yield message
            else:
                yield from message

    def _read(self) -> None:
        """gRPC's side: assemble weights, queue the rest. Ends with the stream.

        gRPC raises the stream itself, which is let go of here and in `__exit__`: whoever drops it takes its lock, and
        when this process ends a thread of gRPC may be stopped for good with that lock in hand.
        """
        weights = WeightsAssembly()
        fault: StreamLost | MalformedData | None = None
        try:
            for data in self._call:
                message = read_message(data)
                kind = message.WhichOneof("kind")
                if kind == "weights":
                    policy = weights.add(message.weights)
                    if policy is not None:
                        self._keep(policy)
                elif kind == "receipt":
                    self._metrics.tasks.labels("kept" if message.receipt.kept else "repeated").inc()
                    if not message.receipt.kept:
                        log.info("an equal answer came first", extra={"task": str(read_task(message.receipt.task))})
                elif kind == "goodbye":
                    self._inbox.put(message.goodbye)
                    self.broken.set()
                elif kind == "welcome":
                    self._inbox.put(message.welcome)
                elif kind == "task":
                    self._inbox.put(message.task)
        except grpc.RpcError as stream:
            fault = StreamLost(stream.code(), stream.details() or "")
            stream.__traceback__ = None  # of frames that hold the stream
        except MalformedData as broken:
            fault = broken
        finally:
            self.broken.set()
            self._inbox.put(Ended(fault))

    def _keep(self, policy: PolicyVersion) -> None:
        """Hold the versions that tasks may still need."""
        versions = {**self._versions, policy.version: policy}
        newest = newest_of(versions)
        self._versions = {version: kept for version, kept in versions.items() if self.needs(newest, version)}
        self._metrics.policy_version.set(newest)


def _until_made(messages: Iterator[pb.FromActor], made: threading.Event) -> Iterator[pb.FromActor]:
    yield from messages
    made.set()
