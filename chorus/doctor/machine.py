"""What this machine and this Python have: versions, cores, threads, arithmetic."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from chorus.common.process import arithmetic
from chorus.common.process.fingerprint import actor_arithmetic, chorus_version
from chorus.doctor.finding import Finding, Verdict

PACKAGE = "chorus-marl"
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def versions() -> Iterator[Finding]:
    """Python, Chorus and the packages that it computes with."""
    yield Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("Chorus", chorus_version())
    needed = {name: _version(name) for name in _required("")}
    missing = [name for name, found in needed.items() if found is None]
    listed = ", ".join(f"{name} {found}" for name, found in needed.items() if found is not None)
    yield Finding("packages", listed)
    if missing:
        yield Finding(
            "packages", f"missing: {', '.join(missing)}", Verdict.PROBLEM, f"pip install --force-reinstall {PACKAGE}"
        )
    learner = {name: _version(name) for name in _required("learner")}
    absent = [name for name, found in learner.items() if found is None]
    if absent:
        yield Finding(
            "learner",
            f"this machine can run actors, but no learner: missing {', '.join(absent)}",
            Verdict.NOTE,
            f"to train here: pip install '{PACKAGE}[learner]'",
        )
    else:
        yield Finding("learner", ", ".join(f"{name} {found}" for name, found in learner.items()))


def cores(affinity: int | None = None, quota: Path = QUOTA) -> Iterator[Finding]:
    """How many processor cores this process may use; `affinity` and `quota` are for tests."""
    present = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if affinity is None else affinity
    yield Finding("cores", f"{usable} of {present}: `chorus train` starts that many actors unless --actors is given")
    limit = _limit(quota)
    if limit is not None and limit < usable:
        yield Finding(
            "cores",
            f"the container is limited to {limit:g} cores, but sees {usable}",
            Verdict.NOTE,
            f"give --actors {max(1, int(limit))} and --set learner.workers={max(1, int(limit))}",
        )


def _limit(quota: Path) -> float | None:
    """The processor time of this control group, in cores; None if there is no limit."""
    if not quota.exists():
        return None
    granted, _, period = quota.read_text().strip().partition(" ")
    return None if granted == "max" else int(granted) / int(period)


def numerics(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Threads, kernels and the fingerprint that an actor shows to its learner."""
    pinned = environment.get(arithmetic.PINNED, "").split(",")
    wanted = arithmetic.MODES["portable"]
    own = {
        name: environment[name]
        for name, value in wanted.items()
        if name not in pinned and environment.get(name, value) != value
    }
    yield Finding("threads", f"{environment.get('OMP_NUM_THREADS', 'as many as cores')} per matrix product")
    for name, value in own.items():
        yield Finding(
            "arithmetic",
            f"{name}={value} is set in the environment; Chorus would set {wanted[name]}",
            Verdict.NOTE,
            f"unset {name}, or runs here will not have the same bits as runs elsewhere",
        )
    found = actor_arithmetic()
    digests = {name.removeprefix("actor "): value[:12] for name, value in found.items() if len(value) == 32}
    kernels = ", ".join(f"{name}={value}" for name, value in arithmetic.settings().items())
    yield Finding("arithmetic", f"{arithmetic.mode()}: {kernels}")
    listed = ", ".join(f"{name} {value}" for name, value in digests.items())
    yield Finding("fingerprint", f"{listed} (machines with the same ones act alike; --arithmetic shows learning too)")


def loops() -> Iterator[Finding]:
    """Whether the loops of a learner's LSTM are compiled; nothing on a machine without torch, where no learner runs."""
    if find_spec("torch") is None:
        return
    from chorus.learner.gradient.lstm_compiled import compiled_loops  # torch takes a second to import

    _, why = compiled_loops()
    if why:
        remedy = "install Chorus where there is a C compiler, or `make kernel` in its checkout"
        yield Finding("LSTM", f"its loops run in NumPy: slower, with the same bits ({why})", Verdict.NOTE, remedy)
    else:
        yield Finding("LSTM", "its loops are compiled")


def _required(extra: str) -> list[str]:
    """The packages that Chorus needs on every machine, or for an extra."""
    try:
        lines = requires(PACKAGE) or []
    except PackageNotFoundError:
        lines = []
    wanted = [line for line in lines if (f'extra == "{extra}"' in line if extra else "extra ==" not in line)]
    return [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in wanted]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
