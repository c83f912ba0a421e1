"""How large a task is unless the user says otherwise: K and J from the environment alone, never from a host.

Pure arithmetic. `defaults.py` says how much learning wants; here large observations make it less, so that neither actor
nor learner needs more memory for a task than it is worth.
"""

from __future__ import annotations

from chorus.common.settings import defaults

TASK_BYTES = 256 << 20
"""What the observations of one task may weigh before there are fewer episodes in it."""
BATCH_BYTES = 1 << 30
"""What those of a whole update may weigh before it has fewer tasks."""
LEAST_EPISODES = 2
"""Leave-one-out compares the episodes of a task with one another."""
STEPS_ASSUMED = 1000
"""Of an episode whose greatest length nobody knows."""


def episode_bytes(agents: int, max_steps: int | None, observation_bytes: int) -> int:
    """What the observations of one episode weigh at most; `observation_bytes` is of one agent at one step."""
    return agents * (max_steps or STEPS_ASSUMED) * observation_bytes


def episodes(agents: int, max_steps: int | None, observation_bytes: int) -> int:
    """K: as many as learning wants, no more than `TASK_BYTES` of observations, at least 2."""
    by_bytes = TASK_BYTES // max(1, episode_bytes(agents, max_steps, observation_bytes))
    return min(defaults.episodes(agents, max_steps), max(LEAST_EPISODES, by_bytes))


def tasks(agents: int, max_steps: int | None, observation_bytes: int, episodes: int) -> int:
    """J: as many as learning wants, fewer where K = `episodes` of them would weigh more than `BATCH_BYTES`."""
    task = episodes * episode_bytes(agents, max_steps, observation_bytes)
    return min(defaults.TASKS, max(1, BATCH_BYTES // max(1, task)))
