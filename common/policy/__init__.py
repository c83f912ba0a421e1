"""The policy: which agents share it, names and shapes of its tensors, and a policy version as bytes.

Not here: its arithmetic (`actor/inference.py`, `learner/gradient/network.py`). Start reading at `sharing.py`.
"""
