"""Many runs of one kind: settings varied or searched, seeds repeated, as many at a time as cores allow, then a report.

Not here: one run (`chorus/local`), what a report shows (`chorus/runs/comparison.py`). Start reading at `plan.py`.
"""
