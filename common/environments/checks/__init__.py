"""Is an environment what Chorus needs? The proof that it is a pure function of its seed, and `chorus check-env`.

Not here: the rules themselves (`interface.py`). Start reading at `purity.py`.
"""
