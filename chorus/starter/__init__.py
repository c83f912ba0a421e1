"""What a person starts from: `chorus init` writes a commented configuration and an environment to be changed.

Not here: what an environment must do (`chorus.common.environments`). Start reading at `my_team.py`, which is copied.
"""
