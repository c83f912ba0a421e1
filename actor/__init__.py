"""The actor: one process on one core that receives tasks and returns trajectories, and keeps no state between tasks.

Not here: torch, gradients, the assignment of tasks to actors. Nothing here is imported by the learner.
Start reading at `rollout.py`, then `inference.py`; `client.py` is the shell around them.
"""
