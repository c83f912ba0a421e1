"""What every process of Chorus sets up: fixed arithmetic and its fingerprint, memory, the log, child processes.

Not here: what is measured of a process (`common/monitoring`). Start reading at `arithmetic.py`.
"""
