"""Adapters from existing environments to the interface: PettingZoo, Gymnasium, VMAS, a factory of the user's own.

Not here: the interface (`interface.py`), which spec string leads where (`registry.py`). Start reading at `lockstep.py`.
"""
