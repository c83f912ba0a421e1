"""Writes docs/reference/ from the code: `python -m docs.generate` (`make derived`).

Not here: prose, and docs/metrics.md (`chorus.common.monitoring.metrics_page`). Start reading at `pages.py`.
"""
