"""The fingerprint is the same for equal arithmetic and names what differs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from chorus.common.process import arithmetic
from chorus.common.process.fingerprint import fingerprint, first_difference

SCRIPT = """
import json
from chorus.common.process import arithmetic; arithmetic.pin()
from chorus.common.process.fingerprint import fingerprint
print(json.dumps(fingerprint("some 1")))
"""


def elsewhere(**variables: str) -> dict[str, str]:
    """The fingerprint of another process with these variables."""
    kept = {name: value for name, value in os.environ.items() if name not in arithmetic.PORTABLE_KERNELS}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=kept | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_another_process_has_the_same_fingerprint() -> None:
    assert elsewhere() == fingerprint("some 1") == fingerprint("some 1")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels named are those of x86-64")
def test_another_kernel_is_noticed_and_named() -> None:
    other = elsewhere(OPENBLAS_CORETYPE="Nehalem")
    difference = first_difference(fingerprint("some 1"), other)
    assert "OPENBLAS_CORETYPE is Haswell in the run, but Nehalem here" in difference
    assert "digest is" in difference, "it also computes otherwise"


def test_another_version_of_numpy_or_of_the_environment_is_named() -> None:
    ours, theirs = fingerprint("mpe2 1.0"), fingerprint("mpe2 2.0") | {"numpy": "1.0"}
    difference = first_difference(ours, theirs)
    assert difference == (
        f"environment is mpe2 1.0 in the run, but mpe2 2.0 here; numpy is {np.__version__} in the run, but 1.0 here"
    )
    assert first_difference(ours, {name: value for name, value in ours.items() if name != "digest"}).endswith(
        "absent here"
    )
    assert first_difference(ours, dict(ours)) == ""


def test_products_exponentials_and_draws_are_all_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint("some 1")["digest"]
    for name in ("exp", "tanh", "log"):
        exact = getattr(np, name)
        with monkeypatch.context() as patched:
            patched.setattr(np, name, lambda values, exact=exact: np.nextafter(exact(values), np.float32(2.0)))
            assert fingerprint("some 1")["digest"] != before, name
    assert fingerprint("some 1")["digest"] == before


def test_arithmetic_is_pinned_before_numpy_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    arithmetic.pin()  # as these tests are: nothing is missing, so nothing is too late
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    with pytest.raises(RuntimeError, match="before numpy is imported"):
        arithmetic.pin()


def test_a_process_started_from_a_pinned_one_can_still_leave_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arithmetic.PINNED, "MKL_CBWR")
    arithmetic.pin()  # as the child does: everything is set already
    assert "MKL_CBWR" not in arithmetic.environment_for("native")
    assert arithmetic.mode() == "portable"


def test_what_was_pinned_is_left_out_of_another_modes_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(arithmetic.PINNED, "OPENBLAS_CORETYPE,MKL_CBWR")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    variables = arithmetic.environment_for("native")
    assert variables[arithmetic.MODE] == "native"
    assert "OPENBLAS_CORETYPE" not in variables and variables["OMP_NUM_THREADS"] == "1"
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert arithmetic.settings()["OPENBLAS_CORETYPE"] == "native"
