"""How much is played for an update, and for a run, where nobody says: chosen from the environment alone.

Never from actors, cores or speed: the same configuration is the same run everywhere. The numbers were chosen on
development tasks (docs/results.md says which) and are the same for every environment.
"""

from __future__ import annotations

TASKS = 4
"""J: several actors share an update, and none waits long for the last task."""
ROWS = 96
"""The most rows (agents of episodes) of a task: a forward pass of about so many pays best (docs/design.md)."""
STEPS_PER_UPDATE = 1600
"""Environment steps that an update is computed from."""
TASK_BYTES = 256 << 20
"""What the observations of one task may weigh before there are fewer episodes in it."""
BATCH_BYTES = 1 << 30
"""What those of a whole update may weigh before it has fewer tasks."""
LARGEST_TEAM_VIEW = 4096
"""The longest observations of a team, one after the other, that a value is shown where nobody says otherwise."""
UNKNOWN_LENGTH = 200
"""Taken for the longest episode of an environment that does not state it."""
HEAVIEST_UNKNOWN_LENGTH = 1000
"""Taken for it where memory is at stake."""
STEPS_PER_RUN = 16_000
"""Environment steps of a run for every step of the longest episode, within `LEAST_RUN` and `LONGEST_RUN`."""
LEAST_RUN, LONGEST_RUN = 400_000, 4_000_000


def episode_bytes(agents: int, longest: int | None, observation_bytes: int) -> int:
    """What the observations of one episode weigh at most; `observation_bytes` is of one agent at one step."""
    return agents * (longest or HEAVIEST_UNKNOWN_LENGTH) * observation_bytes


def episodes(agents: int, longest: int | None, observation_bytes: int) -> int:
    """K: episodes of a task of so many agents, of which the longest has so many steps (None: nobody knows)."""
    wanted = STEPS_PER_UPDATE / TASKS / (longest or UNKNOWN_LENGTH)
    by_bytes = TASK_BYTES // max(1, episode_bytes(agents, longest, observation_bytes))
    return max(2, min(round(ROWS / agents), round(wanted), by_bytes))


def tasks(agents: int, longest: int | None, observation_bytes: int, episodes: int) -> int:
    """J: `TASKS`, fewer where K = `episodes` of them would weigh more than `BATCH_BYTES`, at least 1."""
    task = episodes * episode_bytes(agents, longest, observation_bytes)
    return min(TASKS, max(1, BATCH_BYTES // max(1, task)))


def minibatches(passes: int, tasks: int) -> int:
    """Steps per pass: one for a batch that is used once, else two."""
    return 1 if passes == 1 else min(2, tasks)


def updates(episodes: int, longest: int | None) -> int:
    """Updates of a run whose updates are of so many episodes."""
    length = longest or UNKNOWN_LENGTH
    budget = min(LONGEST_RUN, max(LEAST_RUN, STEPS_PER_RUN * length))
    return max(1, round(budget / (episodes * length)))
