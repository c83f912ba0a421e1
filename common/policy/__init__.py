"""What a policy is: who shares it, the names and shapes of its tensors, and a version of them as bytes.

Not here: its arithmetic (`actor/inference.py`, `learner/gradient/network.py`). Start reading at `sharing.py`.
"""
