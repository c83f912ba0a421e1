"""The centre: who plays which task, the gradient, the training loop, checkpoints, and the gRPC server around them.

Not here: playing (that is `actor`, never imported from here) and everything a person looks at (`chorus`).
Start reading at `tasks/ledger.py` and `gradient/reinforce.py`, the pure core; `coordinator.py` ties them together.
"""
