"""The exceptions that users of Chorus may meet and catch. Every message names the field, the value and the remedy.

Each kind has the exit code by which a command that it ends can be told (docs/faults.md has the table).
"""

from __future__ import annotations

from typing import ClassVar


class ChorusError(Exception):
    """Any fault that Chorus itself explains; the command line prints it without a traceback."""

    code: ClassVar[int] = 1
    """The exit code of a command that this ends."""


class ConfigError(ChorusError):
    """A setting is unknown, of the wrong type, impossible, or differs from that of the run it should resume."""

    code = 3


class EnvironmentFault(ChorusError):
    """An environment cannot be made, or broke the rules of `chorus.common.environments.interface`."""

    code = 4


class RunFolderError(ChorusError):
    """A folder is in use, holds another run or none, or has no whole checkpoint."""

    code = 5


class ConnectionFault(ChorusError):
    """An address is malformed, cannot be listened at, or nobody answers there."""

    code = 6


class Refused(ConnectionFault):
    """The learner refused this actor, and trying again would not help."""


class TrainingFault(ChorusError):
    """Training cannot go on: a gradient that is not finite, or a task that fails wherever it is tried."""

    code = 7


class GradientFault(TrainingFault):
    """A gradient is not finite; the step was not taken.

    Attributes:
        index: of the task to blame, in its update; None where every task's own gradient is finite.
    """

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text)
        self.index = index


class GroupFault(ChorusError):
    """Another process of the learner is gone, or does not answer; started again, all go on from the last checkpoint."""

    code = 12


class MalformedData(ChorusError):
    """Data from the wire or from a file is not what it claims to be."""

    code = 10


class Corrupted(MalformedData):
    """Data was changed on its way: its digest is not the one that was announced."""
