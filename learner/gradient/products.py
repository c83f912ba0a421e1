"""Matrix products whose bits are the same on every x86-64 processor with AVX2: through NumPy's OpenBLAS.

torch multiplies by MKL, which chooses its kernels by the processor's maker: on an AMD processor it heeds `MKL_CBWR`
only where that is `COMPATIBLE`, whose products take twice as long. OpenBLAS does as it is told (`OPENBLAS_CORETYPE`),
and is as fast. So all products of the learner come through here, but for those of oneDNN (`torch.lstm` over lives of
one length, convolutions), which come out alike everywhere. On a GPU, and with `arithmetic: native`, torch multiplies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chorus.common.process import arithmetic


def multiply(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right`, of matrices or of stacks of them `[..., row, column]`, without a gradient."""
    if not by_numpy(left):
        return left.detach() @ right.detach()
    shape = (*left.shape[:-1], right.shape[-1])
    found = left.new_empty(shape)
    np.matmul(left.detach().numpy(), right.detach().numpy(), out=found.numpy())
    return found


def affine(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """`inputs @ weight^T + bias` of rows `[row, input]`, without a gradient."""
    return multiply(inputs, weight.t()).add_(bias.detach())


def by_numpy(tensor: Tensor) -> bool:
    """Whether products with this tensor are NumPy's."""
    return not tensor.is_cuda and arithmetic.mode() != "native"


class Accumulator:
    """Products of some rows after the others, added to what is there: a recurrence's.

    What a step of a recurrence multiplies is small, so that the way into NumPy and out again would count: tensors are
    looked at as arrays once, and products are written to one stretch of memory.
    """

    def __init__(self, target: Tensor, source: Tensor, matrix: Tensor, most: int) -> None:
        """Prepare `target[...] += source[...] @ matrix`, for at most `most` rows at a time.

        Args:
            target: `[row, output]`.
            source: `[row, input]`.
            matrix: `[input, output]`.
            most: rows.
        """
        self._arrays = None
        self._tensors = target, source, matrix
        if by_numpy(target):
            scratch = target.new_empty(most, matrix.shape[1])
            self._arrays = tuple(part.detach().numpy() for part in (target, source, matrix, scratch))

    def add(self, to: int, begin: int, end: int) -> None:
        """Add the products of the rows `begin` to `end` of the source, to as many rows of the target from `to` on."""
        count = end - begin
        if self._arrays is None:
            target, source, matrix = self._tensors
            target[to : to + count].addmm_(source[begin:end], matrix)
            return
        into, read, by, scratch = self._arrays
        product = scratch[:count]
        np.matmul(read[begin:end], by, out=product)
        rows = into[to : to + count]
        np.add(rows, product, out=rows)


class RowProducts:
    """Products of some rows after the others, written over what is there: a recurrence's.

    As in `Accumulator` arrays are made of the tensors once.
    """

    def __init__(self, target: Tensor, source: Tensor, matrix: Tensor) -> None:
        """Prepare `target[...] = source[...] @ matrix`.

        Args:
            target: `[row, output]`.
            source: `[row, input]`.
            matrix: `[input, output]`.
        """
        self._tensors = target.detach(), source.detach(), matrix.detach()
        self._arrays = tuple(part.numpy() for part in self._tensors) if by_numpy(target) else None

    def write(self, begin: int, end: int) -> None:
        """Write the products of the rows `begin` to `end` of the source, to the same rows of the target."""
        if self._arrays is None:
            target, source, matrix = self._tensors
            target[begin:end] = source[begin:end] @ matrix
            return
        into, read, by = self._arrays
        np.matmul(read[begin:end], by, out=into[begin:end])


def linear(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """`inputs @ weight^T + bias` of rows `[row, input]`, with its gradient."""
    found: Tensor = _Linear.apply(bias, inputs, weight)  # type: ignore[no-untyped-call]
    return found


def product(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right` of two stacks of as many matrices `[..., row, column]`, with its gradient."""
    found: Tensor = _Product.apply(left, right)  # type: ignore[no-untyped-call]
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(inputs, weight)
        return affine(bias, inputs, weight)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = context.saved_tensors
        _, of_inputs, of_weight = context.needs_input_grad
        return (
            gradient.sum(dim=0),
            multiply(gradient, weight) if of_inputs else None,
            multiply(gradient.t(), inputs) if of_weight else None,
        )


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, left: Tensor, right: Tensor) -> Tensor:
        context.save_for_backward(left, right)
        return multiply(left, right)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        left, right = context.saved_tensors
        return multiply(gradient, right.transpose(-1, -2)), multiply(left.transpose(-1, -2), gradient)
