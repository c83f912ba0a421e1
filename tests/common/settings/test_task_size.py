"""K and J follow from the environment: rows, length of episodes, weight of observations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.settings import defaults
from chorus.common.settings.task_size import BATCH_BYTES, TASK_BYTES, episode_bytes, episodes, tasks


@pytest.mark.parametrize("agents", [1, 2, 3, 8, 100, 1000])
@pytest.mark.parametrize("steps", [25, 500, None])
def test_small_observations_leave_what_learning_wants(agents: int, steps: int | None) -> None:
    assert episodes(agents, steps, 72) == defaults.episodes(agents, steps)
    assert tasks(agents, steps, 72, episodes(agents, steps, 72)) == defaults.TASKS


def test_large_pictures_make_tasks_small() -> None:
    """Cooperative pong: 900 steps, two agents, 280 x 480 x 3 bytes each."""
    size = 2, 900, 280 * 480 * 3
    assert (episodes(*size), tasks(*size, 2)) == (2, 1)


def test_large_observations_of_short_episodes_count_too() -> None:
    assert episodes(3, 25, 4_000_000) == 2 < defaults.episodes(3, 25)
    assert episodes(3, 25, 400_000) == 8 < defaults.episodes(3, 25)


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
