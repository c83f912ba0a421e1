"""The hand-written LSTM and GRU over lives of different lengths, compared with torch and with finite differences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from chorus.learner.gradient.gru import packed_gru
from chorus.learner.gradient.recurrence import packed_lstm

Sizes = np.ndarray[tuple[int], np.dtype[np.intp]]
Parts = Sequence[torch.Tensor]


def sizes_of(lengths: list[int]) -> Sizes:
    return np.array([sum(length > rank for length in lengths) for rank in range(max(lengths))])


def lstm(parts: Parts, sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias = parts
    return packed_lstm(inputs, weight_ih, weight_hh, bias, sizes)


def gru(parts: Parts, sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias, bias_hh = parts
    return packed_gru(inputs, weight_ih, weight_hh, bias, bias_hh, sizes)


def lstm_by_torch(parts: Parts, sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias = parts
    start = inputs.new_zeros(1, int(sizes[0]), weight_hh.shape[1])
    weights = [weight_ih, weight_hh, bias, torch.zeros_like(bias)]
    return torch.lstm(inputs, torch.from_numpy(sizes), (start, start), weights, True, 1, 0.0, True, False)[0]


def gru_by_torch(parts: Parts, sizes: Sizes) -> torch.Tensor:
    inputs, weight_ih, weight_hh, bias, bias_hh = parts
    start = inputs.new_zeros(1, int(sizes[0]), weight_hh.shape[1])
    weights = [weight_ih, weight_hh, bias, torch.cat([bias.new_zeros(2 * len(bias_hh)), bias_hh])]
    return torch.gru(inputs, torch.from_numpy(sizes), start, weights, True, 1, 0.0, True, False)[0]


@dataclass(frozen=True)
class Cell:
    """A recurrence: its gates, whether it has a second bias `[width]`, and the two computations of it."""

    gates: int
    inner_bias: bool
    ours: Callable[[Parts, Sizes], torch.Tensor]
    by_torch: Callable[[Parts, Sizes], torch.Tensor]

    def tensors(self, sizes: Sizes, inputs: int, width: int) -> list[torch.Tensor]:
        """Inputs `[step, input]`, weights and biases, drawn at random."""
        gates = self.gates * width
        shapes = [(int(sizes.sum()), inputs), (gates, inputs), (gates, width), (gates,), *[(width,)] * self.inner_bias]
        generator = torch.Generator().manual_seed(0)
        return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


CELLS = {
    "lstm": Cell(4, False, lstm, lstm_by_torch),
    "gru": Cell(3, True, gru, gru_by_torch),
}
each_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())


@each_cell
@settings(max_examples=40, deadline=None)
@given(
    lengths=some.lists(some.integers(1, 7), min_size=1, max_size=6),
    width=some.integers(1, 5),
    inputs=some.integers(1, 4),
)
def test_states_and_gradients_equal_those_of_torch(cell: Cell, lengths: list[int], width: int, inputs: int) -> None:
    sizes = sizes_of(lengths)
    parts = cell.tensors(sizes, inputs, width)
    ours, theirs = cell.ours(parts, sizes), cell.by_torch(parts, sizes)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for mine, its in zip(
        torch.autograd.grad((ours * weight).sum(), parts),
        torch.autograd.grad((theirs * weight).sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(mine, its, rtol=1e-10, atol=1e-12)


@each_cell
@pytest.mark.parametrize("lengths", [[1], [3, 1], [4, 4, 2, 1], [5]])
def test_gradients_equal_finite_differences(cell: Cell, lengths: list[int]) -> None:
    sizes = sizes_of(lengths)
    parts = cell.tensors(sizes, 3, 2)
    weight = torch.randn(int(sizes.sum()), 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for part, found in zip(parts, torch.autograd.grad((cell.ours(parts, sizes) * weight).sum(), parts), strict=True):
        flat, slopes = part.detach().view(-1), torch.empty(part.numel(), dtype=torch.float64)
        for place, value in enumerate(flat.tolist()):
            ends = []
            for moved in (value + 1e-6, value - 1e-6):
                flat[place] = moved
                ends.append(float((cell.ours(parts, sizes).detach() * weight).sum()))
            flat[place] = value
            slopes[place] = (ends[0] - ends[1]) / 2e-6
        torch.testing.assert_close(found.reshape(-1), slopes, rtol=1e-6, atol=1e-8)


def test_a_second_gradient_of_the_same_states_is_refused() -> None:
    sizes = sizes_of([3, 2])
    parts = CELLS["lstm"].tensors(sizes, 3, 2)
    total = lstm(parts, sizes).sum()
    torch.autograd.grad(total, parts, retain_graph=True)
    with pytest.raises(RuntimeError, match="asked for already"):
        torch.autograd.grad(total, parts)


@each_cell
def test_inputs_that_need_no_gradient_get_none(cell: Cell) -> None:
    sizes = sizes_of([3, 2])
    inputs, *weights = cell.tensors(sizes, 3, 2)
    hidden = cell.ours([inputs.detach(), *weights], sizes)
    assert all(part is not None for part in torch.autograd.grad(hidden.sum(), weights))
