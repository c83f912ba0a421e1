"""An actor that waits longer than half a minute says why, with the last error."""

import logging

import pytest

from chorus.actor.waiting import Waiting


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(vars(record)["why"]) for record in caplog.records]


def test_after_half_a_minute_and_every_half_minute_the_last_error_is_told(caplog: pytest.LogCaptureFixture) -> None:
    waiting = Waiting("learner:1", {})
    with caplog.at_level(logging.WARNING):
        for second in range(0, 100, 5):
            waiting.failed(f"refused {second}", float(second), was_taken_in=False)
    assert told(caplog) == [f"no answer from learner:1 for {at} s: refused {at}" for at in (30, 60, 90)]


def test_an_answer_in_between_counts(caplog: pytest.LogCaptureFixture) -> None:
    waiting = Waiting("learner:1", {})
    with caplog.at_level(logging.WARNING):
        for second in range(0, 100, 5):
            waiting.failed("gone", float(second), was_taken_in=second % 20 == 0)
    assert told(caplog) == []


def test_variables_that_people_may_have_trusted_in_are_named(caplog: pytest.LogCaptureFixture) -> None:
    waiting = Waiting("learner:1", {"http_proxy": "http://proxy:3128", "HOME": "/root"})
    with caplog.at_level(logging.WARNING):
        waiting.failed("refused", 0.0, was_taken_in=False)
        waiting.failed("refused", 31.0, was_taken_in=False)
    assert told(caplog)[0].endswith("refused; http_proxy is set, but followed only with --proxy")
