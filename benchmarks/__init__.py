"""What the speed figures come from: each benchmark measures one thing whole, beside a limit measured in the same run.

Not here: thresholds (no test depends on a clock), profiles of a run (`chorus train --profile`).
Start reading at `suite.py` (which benchmarks there are), then `report.py` (what they yield); a file each for the rest.
"""
