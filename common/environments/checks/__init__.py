"""Checks of an environment: is it reproducible (a pure function of its seed), and can Chorus train on it?

Not here: the rules themselves (`interface.py`). Start reading at `purity.py`.
"""
