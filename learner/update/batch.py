"""What the tasks of a batch add up to, over all processes of the learner: for a step, and for the update as a whole.

Every sum is exact (`learner/group/exact_sum.py`), so neither the order of tasks nor who computed them changes a bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import StatisticSums, Sums
from chorus.learner.group.exact_sum import Column, Work, add_up
from chorus.learner.group.group import Group
from chorus.learner.update.episode_totals import EpisodeTotals

FIGURES = ("steps", "lives", "loss", "entropy", "ratio", "divergence", "shortened", "square")
FIRST = ("steps", "loss", "entropy")
EVENTS = tuple(EpisodeTotals.__dataclass_fields__)
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class StepTotals:
    """What all tasks of a step contribute to one policy.

    Attributes:
        gradient: float64, flat, of the summed loss (Z = 1).
        gradients: tasks that had one.
        square: the sum of their squared norms.

    The others are those of `StepSums`, added up.
    """

    gradient: Tensor
    gradients: int
    steps: int
    lives: int
    loss: float
    entropy: float
    ratio: float
    divergence: float
    shortened: int
    square: float


@dataclass(frozen=True, eq=False)
class BatchTotals:
    """What the batch adds up to: per policy its statistics and the sums of `PolicySums`; and figures of all together.

    Attributes:
        statistics: for the running ones.
        returns, residual: `[time, 3]` each.
        steps, loss, entropy: of all tasks by the weights that the update began with, all policies together.
        disagreement: the greatest of all tasks.
        ratio_max: the greatest at the last step.
        episodes: what happened in them.
    """

    statistics: Sequence[StatisticSums]
    returns: Sequence[Sums]
    residual: Sequence[Sums]
    steps: int
    loss: float
    entropy: float
    disagreement: float
    ratio_max: float
    episodes: EpisodeTotals


def minibatches(tasks: int, number: int) -> list[range]:
    """The tasks of each minibatch, by index: as equal in number as can be, the first ones larger."""
    ends = [0]
    for group in range(number):
        ends.append(ends[-1] + tasks // number + (group < tasks % number))
    return [range(begin, end) for begin, end in pairwise(ends)]


def step_totals(
    sums: Sequence[Sequence[StepSums]],
    lengths: Sequence[int],
    tasks: int,
    group: Group,
    device: torch.device,
    work: Work,
) -> list[StepTotals]:
    """A step's totals, policy by policy.

    Args:
        sums: those of this process's tasks, task by task, policy by policy.
        lengths: numbers in each policy's network.
        tasks: how many take part in the step, over all processes.
        group: the processes.
        device: where gradients are.
        work: what adds blocks of them side by side.
    """
    columns = []
    for place, length in enumerate(lengths):
        parts = [task[place] for task in sums]
        gradients = [part.gradient for part in parts if part.gradient is not None]
        rows = [[part.gradient is not None, *(getattr(part, name) for name in FIGURES)] for part in parts]
        columns += [Column(gradients, length), Column(_rows(rows, device), 1 + len(FIGURES), 2)]
    found = add_up(columns, tasks, group, device, work)
    totals = []
    for gradient, row in zip(found[::2], found[1::2], strict=True):
        count, steps, lives, loss, entropy, ratio, divergence, shortened, square = row.tolist()
        whole = int(count), int(steps), int(lives)
        totals.append(StepTotals(gradient, *whole, loss, entropy, ratio, divergence, int(shortened), square))
    return totals


def batch_totals(
    batch: Sequence[Sequence[PolicySums]],
    episodes: Sequence[EpisodeTotals],
    ratio_max: float,
    sizes: Sequence[int],
    tasks: int,
    group: Group,
) -> BatchTotals:
    """The whole batch's totals.

    Args:
        batch: what this process's tasks contribute, task by task, policy by policy.
        episodes: what happened in them.
        ratio_max: the greatest that they had at the last step.
        sizes: each policy's numbers of observation statistics; 0 for one that has none.
        tasks: how many the batch has, over all processes.
        group: the processes.
    """
    first = [[part.step for part in task] for task in batch]
    longest = max((len(part.returns) for task in batch for part in task), default=0)
    greatest = [float(longest), greatest_of(first, "disagreement"), ratio_max]
    time, disagreement, ratio_max = group.largest(torch.tensor(greatest, dtype=torch.float64)).tolist()
    figures = [[sum(getattr(part, name) for part in task) for name in FIRST] for task in first]
    happened = [[float(getattr(one, name)) for name in EVENTS] for one in episodes]
    # All of a task is one row: what is added element by element may as well be added at once, in a tenth of the calls.
    rows = []
    for figure, event, task in zip(figures, happened, batch, strict=True):
        parts = [np.asarray(figure, np.float64), np.asarray(event, np.float64)]
        for part, size in zip(task, sizes, strict=True):
            parts += [_statistics_row(part.statistics, size), _long(part.returns, int(time))]
            parts.append(_long(part.residual, int(time)))
        rows.append(np.concatenate(parts))
    lengths = [
        len(FIRST),
        len(EVENTS),
        *(length for size in sizes for length in (8 + size, 3 * int(time), 3 * int(time))),
    ]
    (total,) = add_up([Column(_rows(rows), sum(lengths), 2)], tasks, group, CPU)
    (steps, loss, entropy), happened_in_all, *found = np.split(total.numpy(), np.cumsum(lengths)[:-1])
    whole = [int(number) for number in happened_in_all[:3]]
    return BatchTotals(
        statistics=[_statistics_of(row) for row in found[::3]],
        returns=[row.reshape(-1, 3) for row in found[1::3]],
        residual=[row.reshape(-1, 3) for row in found[2::3]],
        steps=int(steps),
        loss=float(loss),
        entropy=float(entropy),
        disagreement=disagreement,
        ratio_max=ratio_max,
        episodes=EpisodeTotals(*whole, *map(float, happened_in_all[3:])),
    )


def added_statistics(
    batch: Sequence[Sequence[StatisticSums]], sizes: Sequence[int], tasks: int, group: Group
) -> list[StatisticSums]:
    """Statistics alone, policy by policy; arguments as for `batch_totals`."""
    columns = [
        Column(_rows(_statistics_row(task[place], size) for task in batch), 8 + size, 2)
        for place, size in enumerate(sizes)
    ]
    return [_statistics_of(row.numpy()) for row in add_up(columns, tasks, group, CPU)]


def greatest_of(sums: Sequence[Sequence[StepSums]], name: str) -> float:
    """Over tasks and policies; infinite if one is no number, so that every process finds the same."""
    values = [float(getattr(part, name)) for task in sums for part in task]
    return max((np.inf if np.isnan(value) else value for value in values), default=0.0)


def squared(sums: StepSums) -> StepSums:
    """With the square of the gradient's norm, by which the batch's quality is judged."""
    return sums if sums.gradient is None else replace(sums, square=float(sums.gradient.double().square().sum()))


def _rows(rows: Iterable[Sequence[float] | Sums], device: torch.device = CPU) -> list[Tensor]:
    return [torch.tensor(np.asarray(row, np.float64), device=device) for row in rows]


def _long(sums: Sums, time: int) -> Sums:
    padded = np.zeros((time, 3))
    padded[: len(sums)] = sums
    return padded.ravel()


def _statistics_row(sums: StatisticSums, size: int) -> Sums:
    seen = np.zeros(size) if sums.observation is None else sums.observation
    return np.concatenate([[sums.steps, sums.advantage_square], sums.credit, sums.reward, seen])


def _statistics_of(row: Sums) -> StatisticSums:
    seen = row[8:] if len(row) > 8 else None
    return StatisticSums(int(row[0]), float(row[1]), row[2:5], row[5:8], seen)
