"""Every setting of a run: types, defaults, allowed values, reading, and schedules over the run.

Not here: the effect of a setting; that is in the package that uses it. Start reading at `config.py`.
"""
