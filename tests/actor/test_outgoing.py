"""What is played does not pile up where the network is slow: the parts on their way are bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

from chorus.actor import outgoing
from chorus.actor.mailbox import Mailbox
from chorus.actor.outgoing import Outgoing, Told
from chorus.common.tasks.parts import Part, Place
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Array
from chorus.protos.chorus.v1 import rollout_pb2 as pb


class SlowMail:
    """Lets go of what is sent only when it is told to."""

    def __init__(self) -> None:
        self.made: list[threading.Event] = []

    def send_all(self, messages: Iterator[pb.FromActor]) -> threading.Event:
        del messages
        self.made.append(threading.Event())
        return self.made[-1]


class Enough(Exception):
    """Raised by what waits."""


def give_up() -> None:
    raise Enough


def part(lengths: list[int], slots: int = 4) -> Part:
    """Slots in which both agents act, and the lengths of episodes that end in them; 8 bytes a slot."""
    arrays: dict[str, Array] = {
        "observations": np.zeros((slots, 6), np.uint8),
        "acted": np.ones((slots, 2), np.bool_),
        "lengths": np.array(lengths, np.int32),
    }
    return Part(Task(0, Purpose.TRAINING, 0), 0, Place(0, 0), False, arrays)


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> SlowMail:
    """Two parts are as much as may be on their way."""
    monkeypatch.setattr(outgoing, "BYTES_HELD", 64)
    monkeypatch.setattr(outgoing, "POLL_SECONDS", 0.01)
    return SlowMail()


def test_it_waits_until_enough_is_on_its_way_and_asks_meanwhile(mail: SlowMail) -> None:
    parts, told = Outgoing(cast(Mailbox, mail)), Told()
    for _ in range(2):
        parts.wait_for_room(give_up)  # there is room: nothing is waited for
        parts.send(part([]), told)
    with pytest.raises(Enough):
        parts.wait_for_room(give_up)
    asked = 0

    def let_go_at_the_third() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            mail.made[0].set()

    parts.wait_for_room(let_go_at_the_third)
    assert asked == 3
    parts.wait_for_room(give_up)


def test_what_is_on_its_way_in_another_order_counts_until_those_before_it_are_gone(mail: SlowMail) -> None:
    parts, told = Outgoing(cast(Mailbox, mail)), Told()
    for _ in range(2):
        parts.send(part([]), told)
    mail.made[1].set()
    with pytest.raises(Enough):
        parts.wait_for_room(give_up)
    mail.made[0].set()
    parts.wait_for_room(give_up)


def test_what_was_told_is_counted(mail: SlowMail) -> None:
    parts, told = Outgoing(cast(Mailbox, mail)), Told()
    for lengths in ([], [2, 5], [3]):
        parts.send(part(lengths), told)
    assert (told.agent_steps, told.env_steps, told.longest) == (24, 10, 5)
