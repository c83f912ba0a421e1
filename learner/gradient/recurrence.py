"""The LSTM over lives of unlike lengths, with its gradient written out by hand.

`torch.lstm` has a fused kernel for sequences of one length. For packed ones of unlike lengths it records every time
step, and its backward pass then fills an array of the whole input's size at each of them: quadratic in time, two to
ten times slower than this. The equations are those of `torch.nn.LSTM`:

    i, f, o = sigmoid(W x + U h + b),  g = tanh(W x + U h + b),  c' = f c + i g,  h' = o tanh(c')

and backwards in time, with dh and dc the gradients that arrive at h' and c':

    dc += dh o (1 - tanh(c')^2),   d_o = dh tanh(c') o (1 - o),   d_i = dc g i (1 - i),   d_f = dc c f (1 - f),
    d_g = dc i (1 - g^2),          dc -> f dc,                    dh -> U^T (d_i, d_f, d_g, d_o)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chorus.learner.gradient.lives import Indices, earlier_steps
from chorus.learner.gradient.products import Accumulator, affine, multiply


def packed_lstm(inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, sizes: Indices) -> Tensor:
    """The hidden states of lives that begin with an empty memory.

    Args:
        inputs: `[step, input]` in packed order.
        weight_ih: `[4 width, input]`, gates in torch's order i, f, g, o.
        weight_hh: `[4 width, width]`.
        bias: `[4 width]`.
        sizes: `[rank]`, how many lives have a step of that rank; never increasing.

    Returns:
        `[step, width]`.
    """
    hidden: Tensor = _Lstm.apply(inputs, weight_ih, weight_hh, bias, sizes)  # type: ignore[no-untyped-call]
    return hidden


class _Lstm(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, sizes: Indices
    ) -> Tensor:
        width = weight_hh.shape[1]
        gates = affine(bias, inputs, weight_ih)
        hidden = inputs.new_empty(len(inputs), width)
        cell, squashed = torch.empty_like(hidden), torch.empty_like(hidden)
        counts = sizes.tolist()
        recurrent = Accumulator(gates, hidden, weight_hh.t(), counts[0])
        begin = before = 0
        parts = zip(*(torch.split(tensor, counts) for tensor in (gates, hidden, cell, squashed)), strict=True)
        for rank, (now, h, c, s) in enumerate(parts):
            count = counts[rank]
            if rank:
                recurrent.add(begin, before, before + count)
            now[:, : 2 * width].sigmoid_()
            now[:, 2 * width : 3 * width].tanh_()
            now[:, 3 * width :].sigmoid_()
            torch.mul(now[:, :width], now[:, 2 * width : 3 * width], out=c)
            if rank:
                c.addcmul_(now[:, width : 2 * width], cell[before : before + count])
                before += counts[rank - 1]
            torch.tanh(c, out=s)
            torch.mul(now[:, 3 * width :], s, out=h)
            begin += count
        context.save_for_backward(inputs, weight_ih, weight_hh, gates, hidden, cell, squashed)
        context.sizes = sizes
        return hidden

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = context.saved_tensors
        inputs, weight_ih, weight_hh, gates, hidden, cell, squashed = saved
        sizes: Indices = context.sizes
        width, first = weight_hh.shape[1], int(sizes[0])
        earlier = torch.from_numpy(earlier_steps(sizes)).to(inputs.device)
        earlier_hidden, earlier_cell = hidden.index_select(0, earlier), cell.index_select(0, earlier)
        i, f, g, o = torch.split(gates, width, dim=1)
        # What each gate's gradient is of dc, or of dh for o; the loop below multiplies by them.
        slopes = torch.empty_like(gates)
        di, df, dg, do = torch.split(slopes, width, dim=1)
        torch.mul(i * (1.0 - i), g, out=di)
        df[:first] = 0.0
        torch.mul((f * (1.0 - f))[first:], earlier_cell, out=df[first:])
        torch.mul(i, 1.0 - g * g, out=dg)
        torch.mul(o * (1.0 - o), squashed, out=do)
        through = o * (1.0 - squashed * squashed)
        arriving = gradient.clone()
        counts = sizes.tolist()
        ends = np.cumsum(sizes).tolist()
        carried = through.new_empty(0, width)
        recurrent = Accumulator(arriving, slopes, weight_hh, first)
        for rank in range(len(counts) - 1, -1, -1):
            begin, end = ends[rank] - counts[rank], ends[rank]
            dh, now = arriving[begin:end], slopes[begin:end]
            later = counts[rank + 1] if rank + 1 < len(counts) else 0
            if later:
                recurrent.add(begin, end, end + later)
            dc = dh * through[begin:end]
            if later:
                dc[:later].addcmul_(carried, f[end : end + later])
            now[:, : 3 * width].view(-1, 3, width).mul_(dc.unsqueeze(1))
            now[:, 3 * width :].mul_(dh)
            carried = dc
        needs = context.needs_input_grad
        return (
            multiply(slopes, weight_ih) if needs[0] else None,
            multiply(slopes.t(), inputs),
            multiply(slopes[first:].t(), earlier_hidden),
            slopes.sum(dim=0),
            None,
        )
