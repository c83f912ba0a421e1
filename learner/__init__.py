"""The learner: the assignment of tasks, the gradient, the training loop, checkpoints, and the gRPC server.

Not here: playing (`actor`, never imported from here), commands and the Python API (`chorus`).
Start reading at `tasks/ledger.py` and `gradient/reinforce.py`, the pure core; `coordinator.py` ties them together.
"""
