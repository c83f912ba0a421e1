"""Training on this machine: `chorus train`, `chorus learner`, the actors that they start, and the terminal output.

Not here: the learner itself (`learner`), its command line (`chorus/commands`). Start reading at `train.py`.
"""
