"""From a batch's sums to the next policy version: the optimiser step, and what is reported of it.

Not here: how a task's gradient is computed (`learner/gradient`), files (`learner/storage`). Start at `training.py`.
"""
