"""The experiment of `chorus chaos`: the same run undisturbed and under faults, and a comparison of the two.

Not here: tests (`tests/system`). Start reading at `experiment.py`.
"""
