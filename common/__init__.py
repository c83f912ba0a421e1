"""What actor and learner share: settings, tasks, policies, environments, and what every process needs.

Not here: anything that imports torch, assigns tasks to actors, or computes a gradient.
Start reading at `tasks/task.py`, then `environments/interface.py` and `tasks/trajectory.py`.
"""
