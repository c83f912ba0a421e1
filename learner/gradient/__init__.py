"""From one task's trajectory to its contribution to the gradient: pure functions on tensors.

Not here: batches, steps, versions (`learner/update`). Start at `reinforce.py`, then `network.py` and `returns.py`.
"""
