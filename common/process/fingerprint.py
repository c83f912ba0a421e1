"""The fingerprint: how this process's arithmetic comes out, so that unlike machines are noticed before they mix.

It has parts, told apart by how their names begin. `actor …` is what an actor of this very run computes, and nothing
else: products of the shapes of its weights, the elementary functions that it calls, its draws. An actor shows it when
it says hello. `learner …` is what a learner of this run computes (`learner/update/fingerprint.py`); it is compared when
a run is resumed. `chorus` and `environment` are the versions of the program and of the environment's package.
"""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.environments.scripts import provenance
from chorus.common.policy.layout import layout
from chorus.common.policy.opponents import frozen_policies, scripts
from chorus.common.policy.sharing import PolicySpec
from chorus.common.process import arithmetic, onnx
from chorus.common.settings.config import Config
from chorus.common.tasks.seeding import Draw, stream

Fingerprint = dict[str, str]

LEARNER = "learner "
"""How the names of the learner's part begin."""
TOLD = "learner begun on"
"""Told for people, and never compared: which machine a learner computes on."""
WIDTHS = ((64, 18), (64, 64), (256, 128), (5, 64), (1024, 320))
"""`(output, input)` of products where no run says which it needs."""
ROWS = 96
MOST_ROWS = 4096
"""OpenBLAS multiplies more rows in panels that are not larger."""
WORDS = {
    "actor draws": "actors draw other random numbers",
    "actor products": "actors multiply otherwise",
    "actor functions": "an actor's exp, log and tanh come out otherwise",
    "actor float64 functions": "NumPy's float64 functions, which the environment may call, come out otherwise",
    "learner products": "this run's learner multiplies otherwise",
    "learner functions": "this run's learner's exponentials, logarithms and roots come out otherwise",
    "learner even lives": "this run's learner comes to another gradient over lives of one length",
    "learner uneven lives": "this run's learner comes to another gradient over lives of unlike lengths",
    "learner step": "this run's learner's optimiser steps otherwise",
}
"""What it means that a digest differs."""


def chorus_version() -> str:
    """The installed version of Chorus."""
    try:
        return version("chorus-marl")
    except PackageNotFoundError:
        return "not installed"


def fingerprint(config: Config, environment: EnvironmentSpec, policies: Sequence[PolicySpec]) -> Fingerprint:
    """What an actor of this run shows when it says hello.

    Args:
        config: the run's, resolved.
        environment: its environment.
        policies: its policies.

    Raises:
        ConfigError: the run has a network of the user's own, and there is no onnxruntime; or an opponent's program
            cannot be found.
    """
    frozen = [spec for specs in frozen_policies(config, environment).values() for spec in specs]
    shapes = {
        (tensor.shape[0], tensor.shape[1])
        for spec in (*policies, *frozen)
        if not spec.network.module
        for name, tensor in layout(spec, config).items()
        if len(tensor.shape) == 2 and not name.startswith("value.")
    }
    foreign = arithmetic.suited("portable", config.environment.spec) != "built-in"
    rows = min(MOST_ROWS, config.instances * max(len(spec.agents) for spec in policies))
    return {
        "chorus": chorus_version(),
        "environment": environment.package,
        **actor_arithmetic(sorted(shapes), rows, foreign),
        **(onnx.arithmetic() if any(spec.network.module for spec in (*policies, *frozen)) else {}),
        **{f"opponent scripted:{script}": provenance(script) for script in scripts(config)},
    }


def actor_arithmetic(shapes: Sequence[tuple[int, int]] = WIDTHS, rows: int = ROWS, foreign: bool = True) -> Fingerprint:
    """The actor's part.

    Args:
        shapes: `(output, input)` of the matrices that it multiplies by.
        rows: how many rows a forward pass has at most.
        foreign: whether its environment may call any function of NumPy's.
    """
    found = {
        "actor processor": platform.machine(),
        "actor numpy": np.__version__,
        **{f"actor {name}": value for name, value in arithmetic.settings(("OPENBLAS_CORETYPE",)).items()},
        "actor draws": _digest(_draws()),
        "actor products": _digest(_products(shapes, rows)),
        "actor functions": _digest(_functions()),
    }
    return found | ({"actor float64 functions": _digest(_float64_functions())} if foreign else {})


def of_actor(whole: Fingerprint) -> Fingerprint:
    """What of a run's fingerprint an actor must have."""
    return {name: value for name, value in whole.items() if not name.startswith(LEARNER)}


def first_difference(run: Fingerprint, other: Fingerprint) -> str:
    """The differences in words, with the run's and the other's; empty if there are none."""
    said = [
        f"{_named(name)} is {run.get(name, 'absent')} in the run, but {other.get(name, 'absent')} here"
        for name in sorted(run.keys() | other.keys())
        if run.get(name) != other.get(name) and name != TOLD
    ]
    if TOLD in run and TOLD in other and any(name.startswith(LEARNER) for name in unlike(run, other)):
        said.append(f"begun on {run[TOLD]}, and this is {other[TOLD]}")
    return "; ".join(said)


def unlike(run: Fingerprint, other: Fingerprint) -> list[str]:
    """The names of what differs."""
    return sorted(name for name in run.keys() | other.keys() if run.get(name) != other.get(name) and name != TOLD)


def _named(name: str) -> str:
    return f"{WORDS[name]}: its digest" if name in WORDS else name


def _draws() -> Iterable[bytes]:
    draws = stream(0, Draw.INITIALISATION)
    yield draws.random(1000).tobytes()
    yield draws.standard_normal(1000).tobytes()
    yield draws.random(1000, dtype=np.float32).tobytes()
    yield draws.integers(2**31, size=1000).tobytes()


def _products(shapes: Sequence[tuple[int, int]], rows: int) -> Iterable[bytes]:
    draws = stream(1, Draw.INITIALISATION)
    for outer, inner in shapes:
        weights = draws.uniform(-1.0, 1.0, (outer, inner)).astype(np.float32)
        for count in sorted({1, 3, rows}):
            inputs = draws.uniform(-1.0, 1.0, (count, inner)).astype(np.float32)
            yield (weights @ inputs.T).tobytes()
            yield (inputs @ weights.T).tobytes()


def _functions() -> Iterable[bytes]:
    """Those of Chorus' own actor; its float64 ones, for continuous actions, are the C library's."""
    table = np.linspace(-20.0, 20.0, 4001, dtype=np.float32)
    for function in (np.exp, np.tanh, lambda x: np.log(np.abs(x) + np.float32(1e-3)), lambda x: np.sqrt(np.abs(x))):
        yield function(table).tobytes()
    yield np.logaddexp(0.0, table.astype(np.float64)).tobytes() + np.logaddexp(np.float32(0.0), table).tobytes()
    few = table[::40].tolist()
    yield np.array([math.exp(value) for value in few] + [math.log(abs(value) + 1.0) for value in few]).tobytes()


def _float64_functions() -> Iterable[bytes]:
    table = np.linspace(-20.0, 20.0, 4001)
    functions: tuple[Callable[..., np.ndarray], ...] = (np.exp, np.expm1, np.tanh, np.sin, np.cos, np.arctan, np.cbrt)
    for function in functions:
        yield function(table).tobytes()
    positive = np.abs(table) + 1e-3
    for function in (np.log, np.log1p, np.log2, lambda x: np.power(x, 1.7)):
        yield function(positive).tobytes()


def _digest(parts: Iterable[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()[:32]
