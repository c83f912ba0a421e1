"""What an environment costs: an instance in seconds and bytes, a task in bytes."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.checks.finding import Finding, Verdict
from chorus.common.environments.checks.purity import Fresh
from chorus.common.environments.interface import Environment
from chorus.common.settings import defaults

HEAVY_SECONDS = 30.0
HEAVY_BYTES = 2 << 30
HEAVY_TASK_BYTES = 512 << 20
MEGABYTE = 1_000_000


def _megabytes(size: int) -> str:
    """A size, to three figures where it is small."""
    return f"{size / MEGABYTE:,.1f} MB" if size >= 10 * MEGABYTE else f"{size / MEGABYTE:.3g} MB"


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def weights(environment: Environment, seconds: Sequence[float], held: int, at_once: int) -> Iterator[Finding]:
    """What a task takes, and what its instances take.

    Args:
        environment: that was examined.
        seconds: that making each took that was made in this process, the first one with all imports.
        held: bytes by which this process grew, imports included.
        at_once: how many instances there were then.
    """
    spec = environment.spec
    size = len(spec.agents), spec.max_steps, spec.observation_bytes
    episodes = defaults.episodes(*size)
    tasks = defaults.tasks(*size, episodes)
    steps = spec.max_steps or defaults.HEAVIEST_UNKNOWN_LENGTH
    task, observed = episodes * steps * spec.step_bytes, episodes * defaults.episode_bytes(*size)
    text = (
        f"by default K = {episodes} episodes, which weigh up to {_megabytes(task)} at {steps} steps"
        f"{'' if spec.max_steps else ', as is assumed'} ({_megabytes(observed)} of it observations), and J = {tasks} of"
        " them an update"
    )
    if task > HEAVY_TASK_BYTES:
        yield Finding(
            "task",
            text,
            Verdict.NOTE,
            "make observations smaller or episodes shorter (a wrapper that shrinks pictures, a limit of time); the "
            "learner holds all tasks of an update",
        )
    else:
        yield Finding("task", text)
    inner = environment.inside if isinstance(environment, Fresh) else environment
    if not isinstance(inner, Lockstep):
        yield Finding("instances", "one steps all episodes at once")
        return
    each = held / at_once
    at_all = min(episodes, spec.instances or episodes)
    total = seconds[0] + (at_all - 1) * min(seconds)
    again = f", another one {min(seconds):.2f} s" if len(seconds) > 1 else ""
    text = (
        f"making the first takes {seconds[0]:.2f} s with its imports{again}, and one takes at most"
        f" {each / MEGABYTE:,.0f} MB; an actor makes {at_all}: {total:,.1f} s, at most"
        f" {at_all * each / MEGABYTE:,.0f} MB"
    )
    if total > HEAVY_SECONDS or at_all * each > HEAVY_BYTES:
        yield Finding(
            "instances",
            text,
            Verdict.NOTE,
            "set task.instances to a few, or to 1: the episodes of a task are then played on so many, in waves",
        )
    else:
        yield Finding("instances", text)
