"""Many runs of one kind: settings varied, seeds repeated, as many at a time as cores allow, and a report at the end.

Not here: one run (`chorus/local`), what a report shows (`chorus/runs/comparison.py`). Start reading at `plan.py`.
"""
