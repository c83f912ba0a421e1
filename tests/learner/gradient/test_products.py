"""Products by NumPy are those of torch to the last bits, and so are their gradients, of any strides."""

from __future__ import annotations

import pytest
import torch

from chorus.common.process import arithmetic
from chorus.learner.gradient import products


@pytest.fixture(params=["portable", "native"], autouse=True)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of multiplying."""
    monkeypatch.setenv(arithmetic.MODE, request.param)


def drawn(*shape: int) -> torch.Tensor:
    """Numbers that a gradient may be asked for."""
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))).requires_grad_()


def test_a_linear_layer_and_its_gradient() -> None:
    bias, inputs, weight = drawn(3), drawn(7, 4), drawn(3, 4)
    torch.testing.assert_close(products.linear(bias, inputs, weight), torch.addmm(bias, inputs, weight.t()))
    assert torch.autograd.gradcheck(products.linear, (bias, inputs, weight))
    assert torch.autograd.gradcheck(lambda i, w: products.linear(bias.detach(), i.t(), w), (drawn(4, 7), weight))


def test_inputs_that_no_gradient_is_asked_for_cost_none() -> None:
    bias, weight = drawn(3), drawn(3, 4)
    products.linear(bias, torch.rand(7, 4, dtype=torch.float64), weight).sum().backward()  # type: ignore[no-untyped-call]
    assert bias.grad is not None and weight.grad is not None


def test_stacks_of_matrices_and_their_gradients() -> None:
    left, right = drawn(2, 3, 5, 4), drawn(2, 3, 5, 4)
    found = products.product(left, right.transpose(2, 3))
    torch.testing.assert_close(found, left @ right.transpose(2, 3))
    assert torch.autograd.gradcheck(lambda a, b: products.product(a, b.transpose(2, 3)), (left, right))


def test_products_are_added_to_some_rows_and_to_no_others() -> None:
    source, matrix = torch.rand(6, 4), torch.rand(4, 3)
    target = torch.rand(9, 5)
    expected = target.clone()
    expected[2:5, :3] += source[1:4] @ matrix
    products.Accumulator(target[:, :3], source, matrix, 4).add(2, 1, 4)
    torch.testing.assert_close(target, expected)
