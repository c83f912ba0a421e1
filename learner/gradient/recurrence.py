"""The LSTM over lives of unlike lengths, with its gradient written out by hand.

`torch.lstm` has a fused kernel for sequences of one length. For packed ones of unlike lengths it records every time
step, and its backward pass then fills an array of the whole input's size at each of them: quadratic in time, several
times slower than this. The equations are those of `torch.nn.LSTM`:

    i, f, o = sigmoid(W x + U h + b),  g = tanh(W x + U h + b),  c' = f c + i g,  h' = o tanh(c')

and backwards in time, with dh and dc the gradients that arrive at h' and c':

    dc += dh o (1 - tanh(c')^2),   d_o = dh tanh(c') o (1 - o),   d_i = dc g i (1 - i),   d_f = dc c f (1 - f),
    d_g = dc i (1 - g^2),          dc -> f dc,                    dh -> U^T (d_i, d_f, d_g, d_o)

The rows (1, x, h) lie side by side, so a step of time is one product with (b, W, U), and so is the gradient of all
three. What goes through the steps is compiled (`lstm.c`) or NumPy (`lstm_loops.py`), with the same bits. Lives of one
length come here too, on every machine, so that a compiler decides about time and never about bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chorus.learner.gradient.lives import Indices
from chorus.learner.gradient.lstm_compiled import loops_for
from chorus.learner.gradient.lstm_loops import Made
from chorus.learner.gradient.products import multiply


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
        made = Made(inputs.new_empty(steps, 4 * width), *(inputs.new_empty(steps, width) for _ in range(4)))
        context.loops = loops_for(inputs, width)
        context.loops.forward(counts, begun, rows, matrix, made)
        context.save_for_backward(weight_ih, weight_hh, rows, *made)
        context.counts, context.spent = counts, False
        return made.hidden

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if context.spent:
            raise RuntimeError(
                "the gradient of these states was asked for already, and written over what it is made of"
            )
        context.spent = True
        saved: tuple[Tensor, ...] = context.saved_tensors
        weight_ih, weight_hh, rows = saved[:3]
        made = Made(*saved[3:])
        width, begun = weight_hh.shape[1], 1 + weight_ih.shape[1]
        shown = weight_ih.shape[1] if context.needs_input_grad[0] else 0
        # half (1 - half) is a quarter of 1 - g^2: what is missing is in the matrix, and in the gradient below.
        matrix = torch.cat([weight_ih[:, :shown], weight_hh], dim=1)
        matrix[2 * width : 3 * width].mul_(4.0)
        passed = rows.new_empty(len(rows), shown + width)  # the gradients of x, and of h where it is read
        context.loops.backward(context.counts, shown, matrix, made, gradient.contiguous(), passed)
        found = multiply(made.gates.t(), rows)
        found[2 * width : 3 * width].mul_(4.0)
        return passed[:, :shown] if shown else None, found[:, 1:begun], found[:, begun:], found[:, 0], None


def _aligned(columns: int) -> int:
    """The next multiple of what a vector register of AVX2 holds of float32."""
    return -(-columns // 8) * 8
