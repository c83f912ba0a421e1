"""How much is played for an update, and for a run, where nobody says: chosen from the environment alone.

Never from actors, cores or speed: the same configuration is the same run everywhere. The figures were chosen on
development tasks (docs/results.md says which) and are the same for every environment.
"""

from __future__ import annotations

TASKS = 4
"""J: several actors share an update, and none waits long for the last task."""
ROWS = 96
"""The most rows (agents of episodes) of a task: a forward pass of about so many pays best (docs/design.md)."""
STEPS_PER_UPDATE = 1600
"""Environment steps that an update is computed from."""
LARGEST_TEAM_VIEW = 4096
"""The longest observations of a team, one after the other, that a value is shown where nobody says otherwise."""
UNKNOWN_LENGTH = 200
"""Taken for the longest episode of an environment that does not state it."""
STEPS_PER_RUN = 16_000
"""Environment steps of a run for every step of the longest episode, within `LEAST_RUN` and `LONGEST_RUN`."""
LEAST_RUN, LONGEST_RUN = 400_000, 4_000_000


def episodes(agents: int, longest: int | None) -> int:
    """K: episodes of a task of so many agents, of which the longest has so many steps (None: nobody knows)."""
    wanted = STEPS_PER_UPDATE / TASKS / (longest or UNKNOWN_LENGTH)
    return max(2, min(round(ROWS / agents), round(wanted)))


def minibatches(passes: int, tasks: int) -> int:
    """Steps per pass: one for a batch that is used once, else two."""
    return 1 if passes == 1 else min(2, tasks)


def updates(episodes: int, longest: int | None) -> int:
    """Updates of a run whose updates are of so many episodes."""
    length = longest or UNKNOWN_LENGTH
    budget = min(LONGEST_RUN, max(LEAST_RUN, STEPS_PER_RUN * length))
    return max(1, round(budget / (episodes * length)))
