"""What runs inside a peer's own environment: a script for each peer, beside it the exact versions that it needs.

Not here: anything that imports Chorus; a script sees Python's library, its peer, and `work.py`.
Start reading at `work.py` (what a script is asked and answers).
"""
