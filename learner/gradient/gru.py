"""The GRU over lives, with its gradient written out by hand: torch has no fused kernel for one on a processor.

The equations are those of `torch.nn.GRU` (Cho et al. 2014, with the reset gate behind the product):

    r, z = sigmoid(W x + U h + b),  m = U_n h + b_hh,  n = tanh(W_n x + b_n + r m),  h' = n + z (h - n)

and backwards in time, with dh the gradient that arrives at h':

    d_n = dh (1 - z) (1 - n^2),   d_r = d_n m r (1 - r),   d_z = dh (h - n) z (1 - z),   d_m = d_n r,
    dh -> z dh + U^T (d_r, d_z, d_m)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chorus.learner.gradient.lives import Indices, earlier_steps
from chorus.learner.gradient.products import Accumulator, affine, multiply


def packed_gru(
    inputs: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor, bias_hh: Tensor, sizes: Indices
) -> Tensor:
    """The hidden states of lives that begin with an empty memory.

    Args:
        inputs: `[step, input]` in packed order.
        weight_ih: `[3 width, input]`, in torch's order r, z, n.
        weight_hh: `[3 width, width]`.
        bias: `[3 width]`, for r and z the sum of torch's two.
        bias_hh: `[width]`, that of m.
        sizes: `[rank]`, how many lives have a step of that rank; never increasing.

    Returns:
        `[step, width]`.
    """
    hidden: Tensor = _Gru.apply(inputs, weight_ih, weight_hh, bias, bias_hh, sizes)  # type: ignore[no-untyped-call]
    return hidden


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        bias_hh: Tensor,
        sizes: Indices,
    ) -> Tensor:
        width = weight_hh.shape[1]
        gates = affine(bias, inputs, weight_ih)
        hidden = inputs.new_empty(len(inputs), width)
        inner = bias_hh.expand(len(inputs), width).contiguous()
        counts = sizes.tolist()
        to_gates = Accumulator(gates[:, : 2 * width], hidden, weight_hh[: 2 * width].t(), counts[0])
        to_inner = Accumulator(inner, hidden, weight_hh[2 * width :].t(), counts[0])
        begin = before = 0
        for rank, count in enumerate(counts):
            now, m, h = (part[begin : begin + count] for part in (gates, inner, hidden))
            earlier = hidden[before : before + count]
            if rank:
                to_gates.add(begin, before, before + count)
                to_inner.add(begin, before, before + count)
                before += counts[rank - 1]
            now[:, : 2 * width].sigmoid_()
            z, n = now[:, width : 2 * width], now[:, 2 * width :]
            n.addcmul_(now[:, :width], m).tanh_()
            if rank:
                torch.addcmul(n, z, earlier - n, out=h)
            else:
                torch.addcmul(n, z, n, value=-1.0, out=h)
            begin += count
        context.save_for_backward(inputs, weight_ih, weight_hh, gates, inner, hidden)
        context.sizes = sizes
        return hidden

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = context.saved_tensors
        inputs, weight_ih, weight_hh, gates, inner, hidden = saved
        sizes: Indices = context.sizes
        width, first = weight_hh.shape[1], int(sizes[0])
        earlier = hidden.index_select(0, torch.from_numpy(earlier_steps(sizes)).to(inputs.device))
        r, z, n = torch.split(gates, width, dim=1)
        # What the gradients of r, z and m are of dh; the loop below multiplies by it.
        slopes = torch.empty_like(gates)
        dr, dz, dm = torch.split(slopes, width, dim=1)
        candidate = (1.0 - z) * (1.0 - n * n)
        torch.mul(candidate, r, out=dm)
        torch.mul(dm * inner, 1.0 - r, out=dr)
        torch.mul(z * (1.0 - z), -n, out=dz)
        dz[first:].addcmul_((z * (1.0 - z))[first:], earlier)
        arriving = gradient.clone()
        counts = sizes.tolist()
        ends = np.cumsum(sizes).tolist()
        recurrent = Accumulator(arriving, slopes, weight_hh, first)
        for rank in range(len(counts) - 1, -1, -1):
            begin, end = ends[rank] - counts[rank], ends[rank]
            dh = arriving[begin:end]
            later = counts[rank + 1] if rank + 1 < len(counts) else 0
            if later:
                recurrent.add(begin, end, end + later)
                dh[:later].addcmul_(arriving[end : end + later], z[end : end + later])
            slopes[begin:end].view(-1, 3, width).mul_(dh.unsqueeze(1))
        to_inputs = torch.cat([slopes[:, : 2 * width], candidate.mul_(arriving)], dim=1)
        needs = context.needs_input_grad
        return (
            multiply(to_inputs, weight_ih) if needs[0] else None,
            multiply(to_inputs.t(), inputs),
            multiply(slopes[first:].t(), earlier),
            to_inputs.sum(dim=0),
            dm.sum(dim=0),
            None,
        )
