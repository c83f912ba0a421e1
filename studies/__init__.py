"""The experiments that answer whether one policy can serve a whole team, each one command: `chorus study NAME`.

Not here: anything that training depends on. Results, plots and pages are written to `docs/studies/`.
Start reading at `run.py` (one run), `study.py` (arms, learning rates, seeds), then any study, such as `baselines.py`.
"""
