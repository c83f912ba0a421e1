"""`chorus doctor`: diagnosis of this machine, and of what prevents it from training or from reaching a learner.

Not here: whether an environment is fit for training (`chorus check-env`), the state of a run (`chorus.fleet`). Start
reading at `report.py`.
"""
