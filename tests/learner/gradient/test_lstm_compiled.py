"""The compiled loops of the LSTM decide about time and never about bits; where they cannot be used, it is said why."""

from __future__ import annotations

import ctypes
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from chorus.common.process import arithmetic, processor
from chorus.common.settings import config as configuration
from chorus.learner.gradient import lstm_compiled, recurrence
from chorus.learner.gradient.lstm_compiled import CompiledLoops, Unavailable, compiled_loops, loops_for
from chorus.learner.gradient.lstm_loops import PlainLoops
from chorus.learner.gradient.recurrence import packed_lstm
from chorus.studies.run import train

needs_them = pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("cc") is None, reason="nothing compiles them here"
)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As on a machine without a compiler."""
    monkeypatch.setattr(recurrence, "loops_for", lambda inputs, width: PlainLoops())
    yield monkeypatch
    monkeypatch.undo()


@needs_them
def test_they_are_there_where_something_compiles_them() -> None:
    loops, why = compiled_loops()
    assert loops is not None and not why


def states_and_gradients(lengths: list[int], width: int, inputs: int, seed: int, of_inputs: bool) -> list[torch.Tensor]:
    """What the LSTM makes of random numbers, and all its gradients, in float32."""
    sizes = np.array([sum(length > rank for length in lengths) for rank in range(max(lengths))])
    draws = torch.Generator().manual_seed(seed)
    shapes = [(int(sizes.sum()), inputs), (4 * width, inputs), (4 * width, width), (4 * width,)]
    parts = [torch.randn(shape, generator=draws).requires_grad_() for shape in shapes]
    asked = parts if of_inputs else parts[1:]
    hidden = packed_lstm(parts[0] if of_inputs else parts[0].detach(), parts[1], parts[2], parts[3], sizes)
    weight = torch.randn(hidden.shape, generator=draws)
    return [hidden.detach(), *torch.autograd.grad(hidden, asked, weight)]


@needs_them
@settings(max_examples=120, deadline=None)
@given(
    lengths=some.one_of(
        some.lists(some.integers(1, 9), min_size=1, max_size=20),
        some.builds(lambda life, lives: [life] * lives, some.integers(1, 9), some.integers(1, 40)),
    ),
    width=some.sampled_from([16, 32, 64, 80]),
    inputs=some.integers(1, 70),
    seed=some.integers(0, 2**31),
    of_inputs=some.booleans(),
)
def test_their_bits_are_those_of_the_plain_loops(
    lengths: list[int], width: int, inputs: int, seed: int, of_inputs: bool
) -> None:
    found = states_and_gradients(lengths, width, inputs, seed, of_inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "loops_for", lambda inputs, width: PlainLoops())
        expected = states_and_gradients(lengths, width, inputs, seed, of_inputs)
    for one, other in zip(found, expected, strict=True):
        assert one.numpy().tobytes() == other.numpy().tobytes()


@needs_them
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_without_bounds_come_out_alike(plain: pytest.MonkeyPatch) -> None:
    """Saturated gates, infinities and what is none: the compiled loops may not be kinder."""
    large = [80.0, 104.0, 3e38, np.inf]
    values = [0.0, -0.0, 1e-38, -3e-39, *large, *(-value for value in large), np.nan, 1.0]
    weights = torch.full((64, 2), 0.5), torch.full((64, 16), 0.25), torch.zeros(64)

    def states() -> bytes:
        hidden = packed_lstm(torch.tensor(values * 4).reshape(-1, 2), *weights, np.array([14, 14]))
        assert hidden.isnan().any() and not hidden.isnan().all()
        return hidden.nan_to_num(nan=7.0).numpy().tobytes()  # the sign of a NaN is nobody's

    expected = states()
    plain.undo()
    assert states() == expected


@needs_them
@pytest.mark.parametrize("spec", ["spread?agents=3", "chorus.studies.worlds:batteries?agents=3"])
def test_a_run_without_them_has_the_same_weights(spec: str, plain: pytest.MonkeyPatch) -> None:
    config = configuration.check({"environment": {"spec": spec}, "task": {"episodes": 6}, "updates": 3, "seed": 5})
    expected = train(config).current.data
    plain.undo()
    assert train(config).current.data == expected


@pytest.mark.parametrize(
    ("inputs", "width"),
    [
        (torch.zeros(4, 3, dtype=torch.float64), 64),
        (torch.zeros(4, 3), 20),
        (torch.zeros(4, 1), 64),
    ],
    ids=["float64", "a width that torch takes the rest of otherwise", "one number, which NumPy multiplies otherwise"],
)
def test_what_they_would_compute_otherwise_goes_through_the_plain_loops(inputs: torch.Tensor, width: int) -> None:
    assert isinstance(loops_for(inputs, width), PlainLoops)


def unavailable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Why they are not to be had, asked anew."""
    monkeypatch.setattr(lstm_compiled, "compiled_loops", compiled_loops.__wrapped__)
    loops, why = lstm_compiled.compiled_loops()
    assert loops is None
    assert isinstance(lstm_compiled.loops_for(torch.zeros(4, 3), 64), PlainLoops)
    return why


def test_a_processor_that_could_not_run_them_is_never_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "lacks", lambda: ["AVX2", "FMA"])
    monkeypatch.setattr(ctypes, "CDLL", lambda path: pytest.fail(f"{path} was loaded"))
    assert unavailable(monkeypatch) == "this processor has no AVX2 and no FMA"


def test_native_arithmetic_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "mode", lambda: "native")
    assert "native" in unavailable(monkeypatch)


def test_a_machine_without_a_compiler_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lstm_compiled, "FILE", tmp_path / "lstm.so")
    assert "nothing compiled it" in unavailable(monkeypatch)


def test_a_file_that_is_none_of_ours_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lstm.so").write_bytes(b"not a library")
    monkeypatch.setattr(lstm_compiled, "FILE", tmp_path / "lstm.so")
    assert "lstm.so" in unavailable(monkeypatch)


@needs_them
@pytest.mark.parametrize("ahead", [True, False])
def test_loops_with_other_bits_are_not_used(ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another torch may take its sigmoid by another exponential, another NumPy may multiply otherwise."""
    found, _ = compiled_loops()
    assert found is not None
    right = found

    class Otherwise(CompiledLoops):
        """One number of one array is the next one."""

        def forward(self, counts: list[int], begun: int, *arrays: Any) -> None:
            right.forward(counts, begun, *arrays)
            if ahead:
                arrays[2].hidden[-1, -1] = torch.nextafter(arrays[2].hidden[-1, -1], torch.tensor(2.0))

        def backward(self, counts: list[int], shown: int, *arrays: Any) -> None:
            right.backward(counts, shown, *arrays)
            if not ahead:
                arrays[3][0, 0] = torch.nextafter(arrays[3][0, 0], torch.tensor(torch.inf))

    other = Otherwise(found.ahead, found.back, found.means)
    monkeypatch.setattr(lstm_compiled, "_load", lambda: other)
    assert "other bits" in unavailable(monkeypatch)
    monkeypatch.setattr(lstm_compiled, "_load", lambda: right)
    assert lstm_compiled.compiled_loops()[0] == found


def test_their_absence_is_an_exception_with_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lstm_compiled, "FILE", tmp_path / "absent.so")
    with pytest.raises(Unavailable, match=r"absent\.so is not there"):
        lstm_compiled._load()
