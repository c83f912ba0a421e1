"""The loops of `lstm_loops.py` compiled from `lstm.c`, with the same bits; where they are used, and why not elsewhere.

They call the very functions that torch and NumPy call, found in the libraries that these have loaded: Sleef's
exponential and the products of OpenBLAS.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from chorus.common.process import arithmetic, processor
from chorus.learner.gradient.lstm_loops import Loops, Made, PlainLoops
from chorus.learner.gradient.products import by_numpy

log = logging.getLogger("chorus.learner")

FILE = Path(__file__).with_name("lstm.so")
LANES = 16
"""torch takes the sigmoid of so many numbers at a time by the exponential that is used here, of a rest by another."""
PROBE = (7, 7, 4, 1, 1)
"""Lives by rank of the comparison with the plain loops: even, falling, and one alone."""


class Unavailable(Exception):
    """The compiled loops cannot be used here; the message says why."""


@dataclass(frozen=True)
class CompiledLoops:
    """The functions of `lstm.so`, and what they call. They run without Python's lock."""

    ahead: Callable[..., None]
    back: Callable[..., None]
    means: ctypes.Array[ctypes.c_void_p]

    def forward(self, counts: list[int], begun: int, rows: Tensor, matrix: Tensor, made: Made) -> None:
        """See `Loops`."""
        lives, width = np.array(counts, np.int64), made.hidden.shape[1]
        where = (part.data_ptr() for part in made)
        of_rows = rows.data_ptr(), rows.stride(0), matrix.data_ptr()
        self.ahead(self.means, len(lives), lives.ctypes.data, width, begun, *of_rows, *where)

    def backward(
        self, counts: list[int], shown: int, matrix: Tensor, made: Made, arriving: Tensor, passed: Tensor
    ) -> None:
        """See `Loops`."""
        lives, (gates, _, cell, squashed, candidate) = np.array(counts, np.int64), made
        arrays = (matrix, gates, cell, squashed, candidate, arriving, passed)
        where = (part.data_ptr() for part in arrays)
        self.back(self.means, len(lives), lives.ctypes.data, cell.shape[1], shown, len(gates), *where)


def loops_for(inputs: Tensor, width: int) -> Loops:
    """What goes through an LSTM of this width fastest: the bits are the same."""
    suited = inputs.dtype == torch.float32 and by_numpy(inputs) and width % LANES == 0 and inputs.shape[1] > 1
    compiled, _ = compiled_loops()
    return compiled if suited and compiled is not None else PlainLoops()


@cache
def compiled_loops() -> tuple[CompiledLoops | None, str]:
    """The compiled loops; or none, and why."""
    try:
        found = _load()
        _see_equal(found)
    except Unavailable as reason:
        log.info("the LSTM runs in NumPy: slower, with the same bits", extra={"why": str(reason)})
        return None, str(reason)
    return found, ""


def _load() -> CompiledLoops:
    if arithmetic.mode() == "native":
        raise Unavailable("native arithmetic has torch's own")
    if missing := processor.lacks():
        raise Unavailable(f"this processor has no {' and no '.join(missing)}")
    if not FILE.exists():
        raise Unavailable(f"{FILE.name} is not there: nothing compiled it when Chorus was installed")
    blas = sorted(Path(np.__file__).parent.with_name("numpy.libs").glob("libscipy_openblas64_*.so"))
    if not blas:
        raise Unavailable("NumPy does not bring its own OpenBLAS")
    try:
        of_torch = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        of_numpy, own = ctypes.CDLL(str(blas[0])), ctypes.CDLL(str(FILE))
        called = of_torch.Sleef_expf8_u10, of_numpy.scipy_cblas_sgemm64_, of_numpy.scipy_cblas_sgemv64_
        ahead, back = own.lstm_forward, own.lstm_backward
    except (OSError, AttributeError) as fault:
        raise Unavailable(str(fault)) from fault
    means = (ctypes.c_void_p * len(called))(*(ctypes.cast(function, ctypes.c_void_p).value for function in called))
    number, place = ctypes.c_int64, ctypes.c_void_p
    ahead.argtypes = [place, number, place, number, number, place, number, place, *[place] * 5]
    back.argtypes = [place, number, place, number, number, number, *[place] * 7]
    ahead.restype = back.restype = None
    return CompiledLoops(ahead, back, means)


def _see_equal(found: CompiledLoops) -> None:
    """See that they have the bits of the plain loops here: another torch or NumPy may compute otherwise.

    Raises:
        Unavailable: they have not.
    """
    ours, plain = _probe(found), _probe(PlainLoops())
    if not all(torch.equal(one, other) for one, other in zip(ours, plain, strict=True)):
        raise Unavailable("the compiled loops have other bits than the plain ones with this torch and NumPy")


def _probe(loops: Loops, width: int = LANES, shown: int = 5) -> list[Tensor]:
    """What loops make of some numbers."""
    counts, steps = list(PROBE), sum(PROBE)
    draws = np.random.Generator(np.random.Philox(7))

    def drawn(*shape: int) -> Tensor:
        return torch.from_numpy(draws.standard_normal(shape).astype(np.float32))

    def empty(columns: int) -> Tensor:
        return torch.zeros(steps, columns)

    rows, matrix = drawn(steps, 1 + shown + width), drawn(1 + shown + width, 4 * width)
    rows[: counts[0], 1 + shown :] = 0.0
    made = Made(empty(4 * width), *(empty(width) for _ in range(4)))
    loops.forward(counts, 1 + shown, rows, matrix, made)
    found = [part.clone() for part in made]
    passed = empty(shown + width)
    loops.backward(counts, shown, drawn(4 * width, shown + width), made, drawn(steps, width), passed)
    return [*found, made.gates, passed]
