"""How many messages a caller may send."""

from chorus.learner.service.allowance import Allowance


def test_a_burst_takes_the_reserve_and_then_the_rate_counts() -> None:
    allowance = Allowance(rate=10.0, reserve=5.0, now=0.0)
    assert [allowance.spend(0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [allowance.spend(0.25) for _ in range(3)] == [True, True, False]
    assert sum(allowance.spend(1.0 + step / 100) for step in range(1, 101)) in range(10, 17)


def test_patience_fills_no_more_than_the_reserve() -> None:
    allowance = Allowance(rate=10.0, reserve=5.0, now=0.0)
    assert sum(allowance.spend(1e6) for _ in range(100)) == 5
