"""The parts of a task on their way to the learner: what is played must not pile up where the network is slow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from chorus.actor.mailbox import Mailbox
from chorus.common.tasks.parts import PART_BYTES, Part, RunningDigest
from chorus.common.transport.wire import part_chunks
from chorus.protos.chorus.v1 import rollout_pb2 as pb

BYTES_HELD = 2 * PART_BYTES
"""Fewer bytes of parts than this may be on their way while the next one is played."""
POLL_SECONDS = 0.5


@dataclass
class Told:
    """What was sent of a task so far."""

    digest: RunningDigest = field(default_factory=RunningDigest)
    agent_steps: int = 0
    env_steps: int = 0
    longest: int = 0

    def count(self, part: Part) -> None:
        """So was this."""
        lengths = part.arrays["lengths"]
        self.agent_steps += int(np.count_nonzero(part.arrays["acted"]))
        self.env_steps += int(lengths.sum())
        self.longest = max(self.longest, int(lengths.max(initial=0)))


class Outgoing:
    """The parts of one stream that the mailbox has not let go of yet."""

    def __init__(self, mail: Mailbox) -> None:
        self._mail = mail
        self._held: deque[tuple[threading.Event, int]] = deque()

    def send(self, part: Part, told: Told) -> None:
        """Have a part sent, the next one of the task that `told` is about. It is held until it is on its way."""
        chunks = part_chunks(part, told.digest.after(part))
        sent = self._mail.send_all(pb.FromActor(chunk=chunk) for chunk in chunks)
        self._held.append((sent, part.nbytes))
        told.count(part)

    def wait_for_room(self, waiting: Callable[[], None]) -> None:
        """Return once little is still to be sent. `waiting` is called again and again until then; it may raise."""
        while self._held and self._held[0][0].is_set():
            self._held.popleft()
        while sum(size for _, size in self._held) >= BYTES_HELD:
            waiting()
            if self._held[0][0].wait(POLL_SECONDS):
                self._held.popleft()
