"""Through the steps of an LSTM, forwards and backwards, in NumPy (`recurrence.py` has the equations).

With tanh(a) = 2 sigmoid(2 a) - 1 all gates are one sigmoid of one stretch of memory, which costs a third of torch's
tanh; the rows of g in the matrix are doubled for it, which rounds nothing. The backward pass writes over what the
forward pass left, while that is in the cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chorus.learner.gradient.products import RowProducts


class Made(NamedTuple):
    """What the steps come to, `[step, …]`; the way back writes over `gates`, `squashed` and `candidate`."""

    gates: Tensor
    """`[step, 4 width]`, the sigmoids of i, f, g and o; then the gradient of what was squashed, that of g a quarter."""
    hidden: Tensor
    """`[step, width]`, h'."""
    cell: Tensor
    """`[step, width]`, c'."""
    squashed: Tensor
    """`[step, width]`, tanh(c')."""
    candidate: Tensor
    """`[step, width]`, g."""


class Loops(Protocol):
    """Whatever goes through the steps; `[step, …]` in packed order, `counts[rank]` lives with a step of that rank."""

    def forward(self, counts: list[int], begun: int, rows: Tensor, matrix: Tensor, made: Made) -> None:
        """Fill in what a life's steps come to.

        Args:
            counts: of every rank, never increasing.
            begun: columns of `rows` before those of h; all that a life's first step reads.
            rows: `[step, begun + width]`, (1, x, h); h is filled in from the second rank on.
            matrix: `[begun + width, 4 width]`, (b, W, U) by rows, those of g doubled.
            made: is filled in.
        """

    def backward(
        self, counts: list[int], shown: int, matrix: Tensor, made: Made, arriving: Tensor, passed: Tensor
    ) -> None:
        """Go back over what `forward` filled in.

        Args:
            counts: as there.
            shown: columns of x in `matrix` and `passed`; 0 if nobody wants its gradient.
            matrix: `[4 width, shown + width]`, (W, U), the rows of g quadrupled.
            made: as `forward` left it.
            arriving: `[step, width]`, the gradient of h'.
            passed: `[step, shown + width]` becomes the gradient of x, and of h where it was read.
        """


class PlainLoops:
    """Step by step in NumPy, with the bits that all others must have."""

    def forward(self, counts: list[int], begun: int, rows: Tensor, matrix: Tensor, made: Made) -> None:
        """See `Loops`."""
        gates, hidden, cell, squashed, candidate = made
        width = hidden.shape[1]
        first = RowProducts(gates, rows[:, :begun], matrix[:begun])
        later = RowProducts(gates, rows, matrix)
        read, all_h, all_c, all_s, all_g = (
            part.numpy() for part in (rows[:, begun:], hidden, cell, squashed, candidate)
        )
        columns = _columns(gates.numpy(), width)
        kept = np.empty_like(all_c[: counts[0]])
        before = begin = 0
        for count, now, now_s in zip(counts, torch.split(gates, counts), torch.split(squashed, counts), strict=True):
            end = begin + count
            if begin:
                read[begin:end] = all_h[before : before + count]
            (later if begin else first).write(begin, end)
            now.sigmoid_()
            i, f, half, o = (part[begin:end] for part in columns)
            c, s, g = all_c[begin:end], all_s[begin:end], all_g[begin:end]
            _tanh(half, g)
            np.multiply(i, g, out=c)
            if begin:
                np.add(c, np.multiply(f, all_c[before : before + count], out=kept[:count]), out=c)
            np.add(c, c, out=s)
            now_s.sigmoid_()
            np.multiply(o, _tanh(s, s), out=all_h[begin:end])
            before, begin = begin, end

    def backward(
        self, counts: list[int], shown: int, matrix: Tensor, made: Made, arriving: Tensor, passed: Tensor
    ) -> None:
        """See `Loops`."""
        gates, _, cell, squashed, candidate = made
        width = cell.shape[1]
        first = RowProducts(passed[:, :shown], gates, matrix[:, :shown])
        later = RowProducts(passed, gates, matrix)
        all_gates = gates.numpy()
        slopes = np.empty_like(all_gates[: counts[0]])
        of_i, of_f, of_g, of_o = _columns(slopes, width)
        columns = _columns(all_gates, width)
        of_h, all_c, all_s, all_g = (part.numpy() for part in (passed[:, shown:], cell, squashed, candidate))
        all_dh = arriving.clone().numpy()
        end, after = len(gates), 0
        for rank in range(len(counts) - 1, -1, -1):
            count = counts[rank]
            begin = end - count
            i, f, _, o = (part[begin:end] for part in columns)
            dh, s, g = all_dh[begin:end], all_s[begin:end], all_g[begin:end]
            if after:
                np.add(dh[:after], of_h[end : end + after], out=dh[:after])
            np.multiply(dh, s, out=of_o[:count])
            np.multiply(dh, o, out=dh)
            np.subtract(1.0, np.multiply(s, s, out=s), out=s)
            dc = np.multiply(dh, s, out=s)
            if after:
                np.add(dc[:after], all_g[end : end + after], out=dc[:after])
            np.multiply(dc, g, out=of_i[:count])
            np.multiply(dc, i, out=of_g[:count])
            if rank:
                np.multiply(dc, f, out=g)  # what arrives at the memory of the step before
                before = begin - counts[rank - 1]
                np.multiply(dc, all_c[before : before + count], out=of_f[:count])
            else:
                of_f[:count] = 0.0
            now, slope = all_gates[begin:end], slopes[:count]
            np.multiply(slope, now, out=slope)
            np.multiply(slope, np.subtract(1.0, now, out=now), out=now)
            (later if rank else first).write(begin, end)
            end, after = begin, count


def _tanh(half: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
    """The tanh of what the sigmoid `half` was taken of, halved."""
    np.add(half, half, out=out)
    np.subtract(out, 1.0, out=out)
    return out


def _columns(gates: NDArray[Any], width: int) -> list[NDArray[Any]]:
    """What belongs to i, f, g and o."""
    return [gates[:, begin : begin + width] for begin in range(0, 4 * width, width)]
