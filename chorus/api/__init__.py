"""The Python API: train, load a policy and act with it, evaluate, export, read a run. `chorus` exposes it.

Not here: the work itself, which the commands do too (`chorus/local`, `chorus/evaluation`, `chorus/formats`).
Start reading at `train.py`, or at `policy.py` for acting.
"""
