"""What actor and learner share: settings, tasks, trajectories and their wire form, weights, seeding, environments.

Not here: anything that imports torch, decides who plays what, or computes a gradient.
Start reading at `task.py`, then `environment.py` and `trajectory.py`.
"""
