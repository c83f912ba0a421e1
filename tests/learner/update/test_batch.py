"""What a batch adds up to, against the sums of each figure taken one by one."""

from __future__ import annotations

from math import fsum

import numpy as np

from chorus.learner.gradient.loss import StepSums
from chorus.learner.gradient.reinforce import PolicySums
from chorus.learner.gradient.running_statistics import StatisticSums
from chorus.learner.group.group import ALONE
from chorus.learner.update.batch import batch_totals
from chorus.learner.update.episode_totals import EpisodeTotals

TASKS = 4


def contribution(draws: np.random.Generator, time: int, seen: int) -> PolicySums:
    """Of a task to one policy: episodes of `time` steps, statistics of `seen` numbers of observation; all unlike."""
    steps = StepSums(steps=int(draws.integers(1, 99)), lives=3, loss=draws.normal(), entropy=draws.normal() * 1e-9)
    observation = draws.normal(size=seen) if seen else None
    numbers = draws.normal(size=3), draws.normal(size=3) * 1e9
    statistics = StatisticSums(int(draws.integers(1, 99)), draws.normal(), *numbers, observation)
    return PolicySums(steps, statistics, draws.normal(size=(time, 3)), draws.normal(size=(time, 3)), ())


def test_every_figure_of_a_batch_is_the_sum_of_that_figure_of_its_tasks() -> None:
    draws, sizes = np.random.default_rng(4), [6, 0]
    batch = [[contribution(draws, 2 + task, size) for size in sizes] for task in range(TASKS)]
    episodes = [EpisodeTotals(1 + task, 10 + task, 20 * task, draws.normal(), draws.normal()) for task in range(TASKS)]
    total = batch_totals(batch, episodes, 1.5, sizes, TASKS, ALONE)

    def same(found: object, terms: list[object]) -> bool:
        summed = [fsum(column) for column in zip(*(np.ravel(np.asarray(term)) for term in terms), strict=True)]
        return np.array_equal(np.ravel(np.asarray(found)), summed)

    def steps(name: str) -> list[object]:
        return [sum(getattr(part.step, name) for part in task) for task in batch]

    assert same(total.steps, steps("steps"))
    assert same(total.loss, steps("loss"))
    assert same(total.entropy, steps("entropy"))
    assert total.ratio_max == 1.5
    for name in EpisodeTotals.__dataclass_fields__:
        assert same(getattr(total.episodes, name), [getattr(one, name) for one in episodes])
    for place, size in enumerate(sizes):
        parts = [task[place] for task in batch]
        for name in ("steps", "advantage_square", "credit", "reward", *(["observation"] if size else [])):
            assert same(getattr(total.statistics[place], name), [getattr(part.statistics, name) for part in parts])
        for name in ("returns", "residual"):
            long = [np.pad(getattr(part, name), ((0, TASKS + 1 - len(part.returns)), (0, 0))) for part in parts]
            assert same(getattr(total, name)[place], list(long))
    assert total.statistics[1].observation is None


def test_a_process_without_tasks_adds_nothing() -> None:
    total = batch_totals([], [], 0.0, [6], TASKS, ALONE)
    assert (total.steps, total.loss, total.episodes.episodes) == (0, 0.0, 0)
    assert total.statistics[0].observation is not None
    assert not total.statistics[0].observation.any()
    assert total.returns[0].shape == (0, 3)
