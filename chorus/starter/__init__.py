"""The starting point of a project: `chorus init` writes a commented configuration and an example environment.

Not here: what an environment must do (`chorus.common.environments`). Start reading at `my_team.py`, which is copied.
"""
