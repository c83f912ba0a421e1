"""One process, one core: a task comes in, a trajectory goes out; nothing that it holds outlives its task.

Not here: torch, gradients, decisions about who plays what. Nothing here is imported by the learner.
Start reading at `rollout.py`, then `inference.py`; `client.py` is the shell around them.
"""
