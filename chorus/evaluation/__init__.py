"""Fresh episodes by a trained policy: what they bring, who plays by which weights, and the film of one.

Not here: evaluation during training (`learner/coordinator.py`). Start reading at `evaluate.py`.
"""
