"""What every process of Chorus sets up: pinned arithmetic and its fingerprint, memory, the log, starting others.

Not here: what is measured of a process (`common/monitoring`). Start reading at `arithmetic.py`.
"""
