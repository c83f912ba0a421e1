"""The actor's fingerprint: equal for equal arithmetic, of what an actor of the run computes; it names what differs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.policy.sharing import divide
from chorus.common.process import arithmetic
from chorus.common.process.fingerprint import (
    Fingerprint,
    actor_arithmetic,
    fingerprint,
    first_difference,
    of_actor,
)
from chorus.common.settings.config import resolve
from tests.playground import settings

SCRIPT = """
import json
from chorus.common.process import arithmetic; arithmetic.pin()
from chorus.common.process.fingerprint import actor_arithmetic
print(json.dumps(actor_arithmetic()))
"""


def elsewhere(**variables: str) -> Fingerprint:
    """What an actor in another process with these variables computes."""
    kept = {name: value for name, value in os.environ.items() if name not in arithmetic.PORTABLE_KERNELS}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: Fingerprint = json.loads(ran.stdout)
    return found


def of_run(package: str = "some 1", environment: str = "spread", **network: Any) -> Fingerprint:
    """The fingerprint of a run's actors."""
    spec = EnvironmentSpec(environment, package, (AgentSpec("a", (6,), (5,)),), 5)
    config = resolve(settings(environment={"spec": environment}, network=network), spec)
    return fingerprint(config, spec, divide(spec, config.sharing, config.network))


def test_another_process_has_the_same_fingerprint() -> None:
    assert elsewhere() == actor_arithmetic() == actor_arithmetic()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels named are those of x86-64")
def test_another_kernel_is_noticed_and_named() -> None:
    difference = first_difference(actor_arithmetic(), elsewhere(OPENBLAS_CORETYPE="Nehalem"))
    assert "actor OPENBLAS_CORETYPE is Haswell in the run, but Nehalem here" in difference
    assert "actors multiply otherwise: its digest is" in difference


def test_another_version_of_numpy_or_of_the_environment_is_named() -> None:
    ours, theirs = of_run("mpe2 1.0"), of_run("mpe2 2.0") | {"actor numpy": "1.0"}
    assert first_difference(ours, theirs) == (
        f"actor numpy is {np.__version__} in the run, but 1.0 here;"
        " environment is mpe2 1.0 in the run, but mpe2 2.0 here"
    )
    without = {name: value for name, value in ours.items() if name != "actor draws"}
    assert first_difference(ours, without).endswith("absent here")
    assert first_difference(ours, dict(ours)) == ""


def test_products_functions_and_draws_are_all_in_the_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_run()
    for name in ("exp", "tanh", "log", "sqrt", "logaddexp"):
        with monkeypatch.context() as patched:
            patched.setattr(np, name, otherwise(getattr(np, name)))
            assert first_difference(before, of_run()).startswith("an actor's exp, log and tanh come out otherwise"), (
                name
            )
    assert of_run() == before


def test_products_are_those_of_the_runs_own_shapes() -> None:
    assert first_difference(of_run(lstm=8), of_run(lstm=16)).startswith("actors multiply otherwise")


def test_machines_whose_float64_functions_differ_may_act_together_where_none_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As machines with AVX-512 and without do: NumPy's float64 `exp` is another there, its float32 one is not."""
    own, foreign = of_run(), of_run(environment="package.module:own")
    for name in ("exp", "log", "log1p", "sin"):
        monkeypatch.setattr(np, name, otherwise(getattr(np, name), np.float64))
    assert of_run() == own, "Chorus' own environment and actor call none"
    difference = first_difference(foreign, of_run(environment="package.module:own"))
    assert difference.startswith("NumPy's float64 functions, which the environment may call, come out otherwise")


def otherwise(exact: Callable[..., Any], dtype: type = object) -> Callable[..., Any]:
    """The function one bit off, for inputs of a type or for all."""

    def off(*values: Any) -> Any:
        found = exact(*values)
        return found if dtype is not object and found.dtype != dtype else np.nextafter(found, found.dtype.type(2.0))

    return off


def test_an_actor_shows_nothing_of_what_the_learner_computes() -> None:
    whole = of_run() | {"learner products": "abc", "learner begun on": "some machine"}
    assert of_actor(whole) == of_run()


def test_a_learner_that_multiplies_otherwise_is_told_in_words_with_both_machines() -> None:
    run = {"learner products": "abc", "learner begun on": "AMD EPYC"}
    here = {"learner products": "abd", "learner begun on": "Intel Xeon"}
    assert first_difference(run, here) == (
        "this run's learner multiplies otherwise: its digest is abc in the run, but abd here;"
        " begun on AMD EPYC, and this is Intel Xeon"
    )
    assert first_difference(run, here | {"learner products": "abc"}) == "", "the machine's name alone is no difference"
