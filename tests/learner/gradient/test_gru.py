"""The hand-written GRU over lives of unlike lengths, held to torch's own and to finite differences."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from chorus.learner.gradient.gru import packed_gru
from tests.learner.gradient.test_recurrence import Sizes, sizes_of


def tensors(sizes: Sizes, inputs: int, width: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(int(sizes.sum()), inputs), (3 * width, inputs), (3 * width, width), (3 * width,), (width,)]
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def apply(parts: list[torch.Tensor], sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias, bias_hh = parts
    return packed_gru(inputs, weight_ih, weight_hh, bias, bias_hh, sizes)


def by_torch(parts: list[torch.Tensor], sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias, bias_hh = parts
    start = inputs.new_zeros(1, int(sizes[0]), weight_hh.shape[1])
    weights = [weight_ih, weight_hh, bias, torch.cat([bias.new_zeros(2 * len(bias_hh)), bias_hh])]
    return torch.gru(inputs, torch.from_numpy(sizes), start, weights, True, 1, 0.0, True, False)[0]


@settings(max_examples=40, deadline=None)
@given(
    lengths=some.lists(some.integers(1, 7), min_size=1, max_size=6),
    width=some.integers(1, 5),
    inputs=some.integers(1, 4),
)
def test_states_and_gradients_equal_those_of_torch(lengths: list[int], width: int, inputs: int) -> None:
    sizes = sizes_of(lengths)
    parts = tensors(sizes, inputs, width)
    ours, theirs = apply(parts, sizes), by_torch(parts, sizes)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for mine, its in zip(
        torch.autograd.grad((ours * weight).sum(), parts),
        torch.autograd.grad((theirs * weight).sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(mine, its, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("lengths", [[1], [3, 1], [4, 4, 2, 1], [5]])
def test_gradients_are_slopes(lengths: list[int]) -> None:
    sizes = sizes_of(lengths)
    assert torch.autograd.gradcheck(lambda *parts: apply(list(parts), sizes), tensors(sizes, 3, 2))


def test_inputs_that_need_no_gradient_get_none() -> None:
    sizes = sizes_of([3, 2])
    inputs, *weights = tensors(sizes, 3, 2)
    hidden = apply([inputs.detach(), *weights], sizes)
    assert all(part is not None for part in torch.autograd.grad(hidden.sum(), weights))
