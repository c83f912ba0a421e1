"""What a rollout task is, which random draws belong to it, and the trajectory that it yields.

Not here: who plays a task (`learner/tasks`), how it is played (`actor`). Start reading at `task.py`.
"""
