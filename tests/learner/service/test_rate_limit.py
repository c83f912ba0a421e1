"""How many messages a caller may send."""

from chorus.learner.service.rate_limit import TokenBucket


def test_a_burst_takes_the_reserve_and_then_the_rate_counts() -> None:
    bucket = TokenBucket(rate=10.0, reserve=5.0, now=0.0)
    assert [bucket.spend(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [bucket.spend(0.25) for _ in range(3)] == [True, True, False]
    assert sum(bucket.spend(1.0 + step / 100) for step in range(1, 101)) in range(10, 17)


def test_patience_fills_no_more_than_the_reserve() -> None:
    bucket = TokenBucket(rate=10.0, reserve=5.0, now=0.0)
    assert sum(bucket.spend(1e6) for _ in range(100)) == 5
