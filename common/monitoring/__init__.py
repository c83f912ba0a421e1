"""Monitoring of a process: metrics, health, and the timeline of a profile.

Not here: the log (`common/process/logs.py`), panels and alerts (`deploy`). Start reading at `metrics.py`.
"""
