"""The LSTM over lives of unlike lengths, with its gradient written out by hand.

`torch.lstm` has a fused kernel for sequences of one length. For packed ones of unlike lengths it records every time
step, and its backward pass then fills an array of the whole input's size at each of them: quadratic in time, several
times slower than this. The equations are those of `torch.nn.LSTM`:

    i, f, o = sigmoid(W x + U h + b),  g = tanh(W x + U h + b),  c' = f c + i g,  h' = o tanh(c')

and backwards in time, with dh and dc the gradients that arrive at h' and c':

    dc += dh o (1 - tanh(c')^2),   d_o = dh tanh(c') o (1 - o),   d_i = dc g i (1 - i),   d_f = dc c f (1 - f),
    d_g = dc i (1 - g^2),          dc -> f dc,                    dh -> U^T (d_i, d_f, d_g, d_o)

Three things make it fast. The rows (1, x, h) lie side by side, so a step of time is one product with (b, W, U), and so
is the gradient of all three. With tanh(a) = 2 sigmoid(2 a) - 1 all gates are one sigmoid of one stretch of memory,
which costs a third of torch's tanh; the rows of g in the matrix are doubled for it, which rounds nothing. And the
backward pass writes over what the forward pass left, while that is in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from chorus.learner.gradient.lives import Indices
from chorus.learner.gradient.products import RowProducts, multiply


def packed_lstm(inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, sizes: Indices) -> Tensor:
    """The hidden states of lives that begin with an empty memory.

    Args:
        inputs: `[step, input]` in packed order.
        weight_ih: `[4 width, input]`, gates in torch's order i, f, g, o.
        weight_hh: `[4 width, width]`.
        bias: `[4 width]`.
        sizes: `[rank]`, how many lives have a step of that rank; never increasing.

    Returns:
        `[step, width]`, whose gradient may be asked for once: it is written over what it is made of.
    """
    hidden: Tensor = _Lstm.apply(inputs, weight_ih, weight_hh, bias, sizes)  # type: ignore[no-untyped-call]
    return hidden


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, sizes: Indices
    ) -> Tensor:
        (steps, shown), width, counts = inputs.shape, weight_hh.shape[1], sizes.tolist()
        begun = 1 + shown  # columns of the rows (1, x, h) that a life's first step reads, whose h is zero
        rows = inputs.new_empty(steps, _aligned(begun + width))[:, : begun + width]
        rows[:, 0], rows[:, 1:begun], rows[: counts[0], begun:] = 1.0, inputs, 0.0
        matrix = torch.cat([bias[None], weight_ih.t(), weight_hh.t()])
        matrix[:, 2 * width : 3 * width].mul_(2.0)
        gates = inputs.new_empty(steps, 4 * width)
        hidden, cell, squashed, candidate = (inputs.new_empty(steps, width) for _ in range(4))
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
        context.save_for_backward(weight_ih, weight_hh, rows, gates, cell, squashed, candidate)
        context.counts, context.spent = counts, False
        return hidden

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if context.spent:
            raise RuntimeError(
                "the gradient of these states was asked for already, and written over what it is made of"
            )
        context.spent = True
        saved: tuple[Tensor, ...] = context.saved_tensors
        weight_ih, weight_hh, rows, gates, cell, squashed, candidate = saved
        counts: list[int] = context.counts
        width, begun = weight_hh.shape[1], 1 + weight_ih.shape[1]
        shown = weight_ih.shape[1] if context.needs_input_grad[0] else 0
        # half (1 - half) is a quarter of 1 - g^2: what is missing is in the matrix, and in the gradient below.
        matrix = torch.cat([weight_ih[:, :shown], weight_hh], dim=1)
        matrix[2 * width : 3 * width].mul_(4.0)
        passed = gates.new_empty(len(gates), shown + width)  # the gradients of x, and of h where it is read
        first = RowProducts(passed[:, :shown], gates, matrix[:, :shown])
        later = RowProducts(passed, gates, matrix)
        all_gates = gates.numpy()
        slopes = np.empty_like(all_gates[: counts[0]])
        of_i, of_f, of_g, of_o = _columns(slopes, width)
        columns = _columns(all_gates, width)
        of_h, all_c, all_s, all_g = (part.numpy() for part in (passed[:, shown:], cell, squashed, candidate))
        arriving = gradient.clone().numpy()
        end, after = len(gates), 0
        for rank in range(len(counts) - 1, -1, -1):
            count = counts[rank]
            begin = end - count
            i, f, _, o = (part[begin:end] for part in columns)
            dh, s, g = arriving[begin:end], all_s[begin:end], all_g[begin:end]
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
        found = multiply(gates.t(), rows)
        found[2 * width : 3 * width].mul_(4.0)
        return passed[:, :shown] if shown else None, found[:, 1:begun], found[:, begun:], found[:, 0], None


def _tanh(half: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
    """The tanh of what the sigmoid `half` was taken of, halved."""
    np.add(half, half, out=out)
    np.subtract(out, 1.0, out=out)
    return out


def _columns(gates: NDArray[Any], width: int) -> list[NDArray[Any]]:
    """What belongs to i, f, g and o."""
    return [gates[:, begin : begin + width] for begin in range(0, 4 * width, width)]


def _aligned(columns: int) -> int:
    """The next multiple of what a vector register of AVX2 holds of float32."""
    return -(-columns // 8) * 8
