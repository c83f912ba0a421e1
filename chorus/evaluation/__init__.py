"""Evaluation of a trained policy on fresh episodes: returns, cross-play between runs and versions, animations.

Not here: evaluation during training (`learner/coordinator.py`). Start reading at `evaluate.py`.
"""
