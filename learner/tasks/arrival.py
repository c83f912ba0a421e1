"""A trajectory that is arriving: its parts, checked and joined as they come. No clock, no network; runs on a thread."""

from __future__ import annotations

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import Corrupted
from chorus.common.settings.config import Config
from chorus.common.tasks.checking import validate_ends, validate_slots
from chorus.common.tasks.joining import Joining
from chorus.common.tasks.parts import Part, RunningDigest
from chorus.common.tasks.room import Room
from chorus.common.tasks.task import Task
from chorus.common.tasks.trajectory import Trajectory

STEPS_ASSUMED = 10_000
"""The longest episode of an environment that does not say how long its episodes are."""


class Arrival:
    """What came so far of one task, on one stream. Whoever drops it drops all of that.

    Attributes:
        task: that is arriving, by the actor's name for it.
    """

    def __init__(self, task: Task, environment: EnvironmentSpec, config: Config, room: Room) -> None:
        """Of a task of this run, whose trajectories are held in `room`."""
        self.task = task
        self._environment = environment
        longest = environment.max_steps or STEPS_ASSUMED
        self._joining = Joining(environment, config.episodes, config.instances, longest, room)
        self._digest = RunningDigest()

    def add(self, part: Part, announced: bytes) -> tuple[Trajectory, str] | None:
        """Take the next part, which came with this digest; return the trajectory and that digest once it is whole.

        Raises:
            Corrupted: the part is not what was sent.
            MalformedData: it breaks the rules, or the whole does; nothing of it may be kept.
            OSError: the disk of `learner.spill` has no room for it.
        """
        if self._digest.after(part) != announced:
            raise Corrupted(f"{part.task} did not arrive as it was sent: its digest is not the announced one")
        trajectory = self._joining.add(part)
        validate_slots(part.arrays, self._environment)
        if trajectory is None:
            return None
        validate_ends(trajectory)
        return trajectory, announced.hex()
