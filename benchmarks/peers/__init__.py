"""Chorus beside other trainers on the same work, in turns: `python -m chorus.benchmarks.peers`.

Not here: anything of a peer; each is installed into an environment of its own, never into Chorus's.
Start reading at `contest.py` (who is measured at what); `scripts/` holds a file for each peer, and its exact versions.
"""
