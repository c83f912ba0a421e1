"""`chorus doctor`: what this machine has, and what would keep it from training or from reaching a learner.

Not here: whether an environment is fit for training (`chorus check-env`), how a run stands (`chorus.fleet`). Start
reading at `report.py`.
"""
