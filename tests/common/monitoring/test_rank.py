"""Metrics say of which of a learner's processes they are, where there are several."""

from prometheus_client import generate_latest

from chorus.common.monitoring import metrics


def lines(rank: int | None) -> list[str]:
    registry = metrics.registry(rank)
    metrics.LearnerMetrics(registry).tasks.labels("completed").inc()
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_every_series_of_one_of_several_processes_carries_its_rank() -> None:
    assert all('rank="3"' in line for line in lines(3))
    assert 'chorus_tasks_total{outcome="completed",rank="3"} 1.0' in lines(3)


def test_a_learner_that_is_alone_has_no_rank() -> None:
    assert not any("rank=" in line for line in lines(None))
    assert 'chorus_tasks_total{outcome="completed"} 1.0' in lines(None)
