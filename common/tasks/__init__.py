"""The rollout task, its random streams, and the trajectory that it yields.

Not here: the assignment to actors (`learner/tasks`), playing (`actor`). Start reading at `task.py`.
"""
