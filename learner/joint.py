"""A coordinator's dealings with the other processes of its learner: how all stand, who needs actors, what all know.

What comes of it is the same in every process. Calls to the group block, so they are made in a thread.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import astuple

from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.tasks.task import Task
from chorus.learner.group.group import Group
from chorus.learner.group.rounds import Standing, State, exchange, outcome, to_send
from chorus.learner.group.shares import Players, Share, join_shares
from chorus.learner.tasks.audit import Audits
from chorus.learner.tasks.dispatcher import Dispatcher
from chorus.learner.tasks.ledger import Ledger
from chorus.learner.update.episode_totals import EpisodeTotals

SENT_ON_SECONDS = 1.0
"""Actors that were sent on to another process need so long to show there."""


class Joint:
    """One process's part.

    Attributes:
        address: HOST:PORT of this process's server.
        standings: how all stood in the last round, by rank; empty for a process that is alone.
    """

    def __init__(
        self, group: Group, ledger: Ledger, dispatcher: Dispatcher, audits: Audits, metrics: LearnerMetrics
    ) -> None:
        """Speak for what this process has."""
        self.address = ""
        self.standings: list[Standing] = []
        self._group = group
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._audits = audits
        self._metrics = metrics
        self._sent_on = 0.0
        self._counted = (group.seconds, group.sent)

    def standing(self, state: State, refused: int, remarks: list[str], fault: str = "") -> Standing:
        """How this process stands."""
        audited = {"audited": self._audits.done, "unequal": self._audits.unequal}
        return Standing(
            state=state,
            fault=fault,
            address=self.address,
            actors=len(self._dispatcher),
            pending=self._ledger.pending,
            counts={**vars(self._ledger.counts), "refused": refused, **audited},
            remarks=remarks,
        )

    def round(self, standing: Standing) -> State:
        """Tell how this process stands, hear of all, and say what all do now; blocks."""
        self.standings = exchange(self._group, standing)
        return outcome(self.standings)

    def accounts(self, standing: Standing) -> dict[str, int]:
        """The accounts of all processes together; blocks."""
        told = exchange(self._group, standing)
        return {name: sum(one.counts[name] for one in told) for name in told[0].counts}

    def send_on(self) -> None:
        """Send idle actors to processes that have more tasks waiting than actors."""
        if time.monotonic() - self._sent_on < SENT_ON_SECONDS:
            return
        idle = self._dispatcher.free()
        for name in idle[: to_send(self.standings, self._group.rank, len(idle))]:
            self._sent_on = time.monotonic()
            self._dispatcher.send_on(name)

    def share(
        self, players: Players, evaluated: Mapping[Task, EpisodeTotals]
    ) -> tuple[Players, dict[Task, EpisodeTotals]]:
        """Who played an update's tasks, and how its evaluations went, as all processes know it together; blocks."""
        mine = Share.of(players, {task: astuple(totals) for task, totals in evaluated.items()})
        all_players, figures = join_shares(self._group.gather(mine.encode()))
        totals = {}
        for task, (episodes, env_steps, agent_steps, *returns) in figures.items():
            totals[task] = EpisodeTotals(int(episodes), int(env_steps), int(agent_steps), returns[0], returns[1])
        return all_players, totals

    def count(self) -> None:
        """Export what calls to the group have cost since the last time."""
        now = self._group.seconds, self._group.sent
        self._metrics.group_seconds.inc(now[0] - self._counted[0])
        self._metrics.group_bytes.inc(now[1] - self._counted[1])
        self._counted = now
