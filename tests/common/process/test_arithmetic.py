"""Arithmetic is pinned before NumPy is loaded, for what the run needs, or refused where the processor cannot."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chorus.common.environments.registry import is_built_in
from chorus.common.errors import ChorusError
from chorus.common.process import arithmetic, processor
from chorus.common.settings.config import check


def test_arithmetic_is_pinned_before_numpy_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    arithmetic.pin()  # as these tests are: nothing is missing, so nothing is too late
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
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
    assert arithmetic.settings(("OPENBLAS_CORETYPE",)) == {"OPENBLAS_CORETYPE": "native"}


NESTED = """
import os
from chorus.common.process import arithmetic
os.environ["MKL_NUM_THREADS"] = "2"
arithmetic.pin("portable")
arithmetic.pin("built-in")
print(os.environ.get("NPY_DISABLE_CPU_FEATURES"), os.environ["MKL_NUM_THREADS"], arithmetic.mode())
"""


def test_what_a_parent_pinned_for_its_own_mode_is_undone_and_what_the_user_set_is_kept() -> None:
    ran = subprocess.run([sys.executable, "-c", NESTED], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["None", "2", "built-in"]


def test_numpy_keeps_all_its_kernels_only_where_chorus_brings_the_environment_along() -> None:
    assert arithmetic.suited("portable", "spread?agents=5") == "built-in"
    assert all(is_built_in(kind) for kind in arithmetic.BUILT_IN)
    for spec in ("gymnasium:Foraging-8x8-2p-3f-v3", "package.module:spread", "pettingzoo:mpe2.simple_spread_v3"):
        assert arithmetic.suited("portable", spec) == "portable" and not is_built_in(spec)
    assert arithmetic.suited("native", "spread") == arithmetic.suited("native", "a.b:c") == "native"


@pytest.mark.parametrize(
    ("mode", "setting"), [("portable", "portable"), ("built-in", "portable"), ("native", "native")]
)
def test_each_mode_is_that_of_runs_with_one_of_the_two_settings(
    mode: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(arithmetic.MODE, mode)
    assert arithmetic.setting() == setting
    assert arithmetic.serves(mode, arithmetic.suited(check({"arithmetic": setting}).arithmetic, "spread"))


def test_a_process_that_computes_more_carefully_than_asked_serves_too() -> None:
    assert arithmetic.serves("portable", "built-in") and arithmetic.serves("native", "native")
    assert not arithmetic.serves("built-in", "portable") and not arithmetic.serves("portable", "native")


def test_a_processor_without_avx2_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "lacks", lambda: ["AVX2", "FMA"])
    with pytest.raises(ChorusError, match="has no AVX2 and no FMA, which portable arithmetic needs") as caught:
        arithmetic.pin()
    assert caught.value.code == 1 and "\n" not in str(caught.value)
    arithmetic.pin("native")
