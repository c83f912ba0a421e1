"""The exceptions that users of Chorus may meet and catch. Every message names the field, the value and the remedy."""

from __future__ import annotations


class ChorusError(Exception):
    """Any fault that Chorus itself explains; the command line prints it without a traceback and exits with 1."""


class ConfigError(ChorusError):
    """A setting is unknown, of the wrong type, impossible, or differs from that of the run it should resume."""


class EnvironmentFault(ChorusError):
    """An environment cannot be made, or broke the rules of `chorus.common.environments.interface`."""


class MalformedData(ChorusError):
    """Data from the wire or from a file is not what it claims to be."""


class Corrupted(MalformedData):
    """Data was changed on its way: its digest is not the one that was announced."""


class Refused(ChorusError):
    """The learner refused this actor, and trying again would not help."""


class RunFolderError(ChorusError):
    """A run folder is in use, holds another run, or has no whole checkpoint."""


class TrainingFault(ChorusError):
    """Training cannot go on: a gradient that is not finite, or a task that fails wherever it is tried."""


class GradientFault(TrainingFault):
    """A gradient is not finite; the step was not taken."""
