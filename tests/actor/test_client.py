"""How an actor gets to a learner, where that is a matter of itself alone."""

import datetime
import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from chorus.actor.client import Actor
from chorus.common.monitoring.metrics import ActorMetrics
from chorus.common.transport.credentials import Credentials
from chorus.fleet.certs import make, period
from tests.system.processes import until

DAY = datetime.timedelta(days=1)


def test_a_stream_that_cannot_be_opened_while_the_own_certificate_has_expired_is_counted_and_says_both(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    today = period(1)
    make(tmp_path, [], today).issue(tmp_path, "late", [], (today[0] - 3 * DAY, today[0] - DAY))
    shown = Credentials(tmp_path / "ca.pem", tmp_path / "late.pem", tmp_path / "late-key.pem")
    registry = CollectorRegistry()
    actor = Actor("127.0.0.1:1", "late", "portable", ActorMetrics(registry), shown)
    playing = threading.Thread(target=actor.run)
    playing.start()
    try:
        until(lambda: registry.get_sample_value("chorus_actor_expired_certificates_total"))
    finally:
        actor.stopping.set()
        playing.join()
    (said, *_) = [record.details for record in caplog.records if record.message == "stream lost"]  # type: ignore[attr-defined]
    assert f"late.pem expired on {today[0] - DAY:%Y-%m-%d}" in said
    assert "127.0.0.1:1" in said, "what gRPC said stays beside it: it may be another reason"
