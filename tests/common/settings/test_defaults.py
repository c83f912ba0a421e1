"""K and J follow from the environment: rows, length of episodes, weight of observations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.settings.defaults import BATCH_BYTES, TASK_BYTES, episode_bytes, episodes, tasks


@pytest.mark.parametrize(("agents", "expected"), [(1, 16), (3, 16), (8, 12), (100, 2), (1000, 2)])
def test_small_observations_leave_the_steps_of_an_update_or_about_96_rows(agents: int, expected: int) -> None:
    assert episodes(agents, 25, 72) == expected
    assert tasks(agents, 25, 72, expected) == 4


def test_large_pictures_make_tasks_small() -> None:
    """Cooperative pong: 900 steps, two agents, 280 x 480 x 3 bytes each."""
    size = 2, 900, 280 * 480 * 3
    assert (episodes(*size), tasks(*size, 2)) == (2, 1)


def test_long_episodes_and_unknown_lengths_count() -> None:
    assert episodes(1, 5, 400 * 400 * 100) == 3
    assert episodes(1, None, 84 * 84 * 4 * 3) == 2, "of an unknown length, a thousand steps are weighed"


@given(st.integers(1, 2000), st.none() | st.integers(1, 10**5), st.integers(1, 10**7))
def test_no_task_is_heavier_than_it_may_be_unless_two_episodes_are(
    agents: int, steps: int | None, observation: int
) -> None:
    one = episode_bytes(agents, steps, observation)
    count = episodes(agents, steps, observation)
    many = tasks(agents, steps, observation, count)
    assert count == 2 or count * one <= TASK_BYTES
    assert many == 1 or many * count * one <= BATCH_BYTES
    assert 2 <= count <= 96 and 1 <= many <= 4
