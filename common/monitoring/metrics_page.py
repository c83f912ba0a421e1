"""Writes docs/metrics.md from `metrics.py`: `python -m chorus.common.monitoring.metrics_page` (`make derived`)."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from chorus.common.monitoring.metrics import ActorMetrics, LearnerMetrics

SUFFIX = {"counter": "_total", "info": "_info"}

HEAD = """# Metrics

Generated from `common/monitoring/metrics.py` by `make derived`; a test checks this. Learner and actors serve
them at `/metrics` of `--metrics-port`, together with `process_*` (memory, processor time, open files) and `python_*`.

Units are in the names: seconds, bytes, ratios. Counters begin at 0 with the process, so ask for rates. Labels have the
few values that `common/monitoring/metrics.py` names. Of a histogram there are also `_bucket`, `_sum` and `_count`.
"""


def page() -> str:
    """The whole page."""
    learner = LearnerMetrics(CollectorRegistry())
    actor = ActorMetrics(CollectorRegistry())
    return HEAD + _table("Learner", vars(learner).values()) + _table("Actor", vars(actor).values())


def _table(title: str, metrics: Iterable[object]) -> str:
    rows = [_row(metric) for metric in metrics if isinstance(metric, MetricWrapperBase)]
    return f"\n## {title}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n" + "".join(rows)


def _row(metric: MetricWrapperBase) -> str:
    (family,) = metric.describe()
    name = family.name + SUFFIX.get(family.type, "")
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"| `{name}` | {family.type} | {labels} | {family.documentation.replace('|', chr(92) + '|')} |\n"


if __name__ == "__main__":
    print(page(), end="")
