"""The experiment of `chorus chaos`: the same run in peace and under faults, and what must not differ.

Not here: tests (`tests/system`). Start reading at `experiment.py`.
"""
