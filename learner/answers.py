"""What actors have answered of the batches that are open: who played each task, and what is learned or measured of it.

Not here: who is asked (`tasks/`), and what is made of a whole batch (`coordinator.py`).
"""

from __future__ import annotations

from chorus.common.tasks.task import Task
from chorus.learner.tasks.audit import Run
from chorus.learner.update.episode_totals import EpisodeTotals
from chorus.learner.update.training import TaskSums


class Answers:
    """The last answer to each task; an audit may put another in its place.

    Attributes:
        players: actor and digest of the trajectory, by task.
        sums: what training tasks of the present update contribute, those that are differentiated.
        evaluated: of evaluation tasks.
    """

    def __init__(self) -> None:
        self.players: dict[Task, tuple[str, str]] = {}
        self.sums: dict[Task, TaskSums] = {}
        self.evaluated: dict[Task, EpisodeTotals] = {}
        self._early: dict[Task, Run] = {}

    def accept(self, run: Run) -> None:
        """This is the answer to its task, and none that was there before."""
        self.forget(run.trajectory.task)
        self.players[run.trajectory.task] = run.actor, run.digest

    def holds(self, run: Run) -> bool:
        """Whether this is still the answer to its task: an audit may have found it wrong in the meantime."""
        return self.players.get(run.trajectory.task) == (run.actor, run.digest)

    def postpone(self, run: Run) -> None:
        """Keep the answer to a task of a later update."""
        self._early[run.trajectory.task] = run

    def due(self, update: int) -> list[Run]:
        """Take the answers that were kept for an update."""
        return [self._early.pop(task) for task in list(self._early) if task.update == update]

    def forget(self, task: Task) -> None:
        """Have no answer to a task."""
        for kept in (self.players, self.sums, self.evaluated, self._early):
            kept.pop(task, None)

    def played_by(self, actor: str, after: int) -> list[Task]:
        """The tasks of updates after one that an actor's answer is held to."""
        return [task for task, (player, _) in self.players.items() if player == actor and task.update > after]
