"""Measurements of speed: each benchmark measures one stage as a whole, beside a limit measured in the same run.

Not here: thresholds (no test depends on a clock), profiles of a run (`chorus train --profile`).
Start reading at `suite.py` (the list of benchmarks), then `report.py` (their output); each benchmark has a file.
"""
