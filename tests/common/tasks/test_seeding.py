"""Every random number has a name; equal names give equal draws, in any process and in any order."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.tasks.seeding import Draw, action_stream, environment_stream, stream
from chorus.common.tasks.task import Purpose, Task

names = st.tuples(
    st.integers(0, 2**63 - 1), st.sampled_from(list(Draw)), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)
)


@given(first=names, second=names)
def test_streams_are_equal_if_and_only_if_their_names_are(
    first: tuple[int, Draw, int, int], second: tuple[int, Draw, int, int]
) -> None:
    same = np.array_equal(stream(*first).integers(2**63, size=4), stream(*second).integers(2**63, size=4))
    assert same == (first == second)
    assert np.array_equal(stream(*first).random(5), stream(*first).random(5))


def test_neighbouring_streams_never_meet() -> None:
    """Long draws of streams whose names differ in one place share no number, at any distance."""
    seen: set[int] = set()
    for seed, draw, update, index in product((0, 1), (Draw.ENVIRONMENT, Draw.ACTION), (0, 1), (0, 1)):
        drawn = set(stream(seed, draw, update, index).integers(2**63, size=5_000).tolist())
        assert len(drawn) == 5_000 and not drawn & seen
        seen |= drawn


def test_the_streams_of_a_task_are_apart_by_purpose_and_by_what_they_are_for() -> None:
    tasks = [Task(update, purpose, index) for update, purpose, index in product((0, 1), Purpose, (0, 1))]
    tasks = [task for task in tasks if task.purpose is not Purpose.AUDIT]
    first = [generate(7, task).random() for task in tasks for generate in (action_stream, environment_stream)]
    assert len(set(first)) == 2 * len(tasks)


def test_an_evaluation_changes_no_draw_of_the_training() -> None:
    before = environment_stream(3, Task(5, Purpose.TRAINING, 2)).random(3)
    environment_stream(3, Task(5, Purpose.EVALUATION, 2)).random(1000)
    np.testing.assert_array_equal(environment_stream(3, Task(5, Purpose.TRAINING, 2)).random(3), before)


SCRIPT = """
from chorus.common.process import arithmetic; arithmetic.pin()
from chorus.common.tasks.seeding import action_stream
from chorus.common.tasks.task import Purpose, Task
print(action_stream(11, Task(3, Purpose.TRAINING, 2)).random(4).tolist())
"""


def test_another_process_with_other_hashes_draws_the_same() -> None:
    here = str(action_stream(11, Task(3, Purpose.TRAINING, 2)).random(4).tolist())
    there = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert there.stdout.strip() == here


def test_the_draws_are_those_that_past_runs_were_made_with() -> None:
    """Written down once: a change here makes every run before it impossible to resume or replay."""
    assert stream(1, Draw.INITIALISATION).integers(2**32, size=3).tolist() == [1969390303, 1303814779, 3133017647]
    assert stream(1, Draw.ACTION, 2, 3).integers(2**32, size=3).tolist() == [2097076847, 2891618782, 1545130282]
    assert [int(draw) for draw in Draw] == [0, 1, 2, 3, 4, 5, 6, 7]
