"""What each process knows of an update's tasks, joined: who played them, their digests, how evaluations went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chorus.common.tasks.task import Purpose, Task

Players = dict[Task, tuple[str, str]]


class Share(msgspec.Struct, frozen=True):
    """One process's part.

    Attributes:
        players: purpose, update and index of each task, its actor, the digest of its answer.
        evaluated: update and index of each evaluation's task, and its figures.
    """

    players: list[tuple[int, int, int, str, str]]
    evaluated: list[tuple[int, int, list[float]]]

    @staticmethod
    def of(players: Mapping[Task, tuple[str, str]], evaluated: Mapping[Task, Sequence[float]]) -> Share:
        """What this process knows of the tasks it owns."""
        return Share(
            [(task.purpose.value, task.update, task.index, *played) for task, played in players.items()],
            [(task.update, task.index, list(figures)) for task, figures in evaluated.items()],
        )

    def encode(self) -> bytes:
        """For the others."""
        return msgspec.json.encode(self)


def join_shares(told: Sequence[bytes]) -> tuple[Players, dict[Task, list[float]]]:
    """What all processes know together."""
    players: Players = {}
    evaluated: dict[Task, list[float]] = {}
    for words in told:
        share = msgspec.json.decode(words, type=Share)
        for purpose, update, index, actor, digest in share.players:
            players[Task(update, Purpose(purpose), index)] = actor, digest
        for update, index, figures in share.evaluated:
            evaluated[Task(update, Purpose.EVALUATION, index)] = figures
    return players, evaluated
