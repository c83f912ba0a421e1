"""The network between learner and actors is slow, loses packets, is narrow, or is gone for minutes."""

import time

import pytest

from tests.faults.conftest import RUN, UPDATES, Sound
from tests.faults.line import HOSTS, Line, line
from tests.system.processes import Chorus, Process, rows, until

pytestmark = pytest.mark.timeout(900)

ADDRESS = f"{HOSTS[0]}:50051"
SLOW = 0.02
"""Seconds that a packet takes, so that a run lasts long enough to cut the line in its middle."""


def fleet(chorus: Chorus, between: Line) -> tuple[Process, list[Process]]:
    """A learner at one end, two actors at the other."""
    at, far = between.ends
    command = ("learner", "--out", chorus.folder / "run", "--listen", ADDRESS, "--insecure", *RUN)
    learner = chorus.start(*command, within=at)
    learner.event("learner listens")
    return learner, [
        chorus.start("actor", "--learner", ADDRESS, "--name", name, "--insecure", within=far) for name in ("a", "b")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    [{"delay": 0.2}, {"loss": 0.1}, {"rate": 500_000.0}, {"delay": 0.05, "loss": 0.03, "rate": 1e6}],
    ids=["0.2 s of delay each way", "a tenth of the packets lost", "500 KB/s", "some of all"],
)
def test_a_poor_network_costs_time_and_nothing_else(chorus: Chorus, sound: Sound, trouble: dict[str, float]) -> None:
    with line() as between:
        learner, actors = fleet(chorus, between)
        for name, value in trouble.items():
            setattr(between, name, value)
        learner.succeeded()
        for actor in actors:
            actor.succeeded()
        sound(learner)
        assert between.lost or "loss" not in trouble
        assert not [event for actor in actors for event in actor.events() if event["event"] == "stream lost"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seconds", [30.0, 300.0], ids=["30 s", "5 minutes"])
def test_after_a_cut_actors_come_back_by_themselves(chorus: Chorus, sound: Sound, seconds: float) -> None:
    run = chorus.folder / "run"
    with line() as between:
        between.delay = SLOW
        learner, actors = fleet(chorus, between)
        until(lambda: len(rows(run)) > 5)
        between.cut = True
        for name in ("a", "b"):
            learner.event("actor left", actor=name)
        for actor in actors:
            actor.event("stream lost")
        reached = len(rows(run))
        assert reached < UPDATES
        time.sleep(seconds)
        assert len(rows(run)) == reached
        between.cut = False
        between.delay = 0.0
        until(lambda: len(rows(run)) > reached)
        for actor in actors:
            actor.event("ready")
            actor.succeeded()
        sound(learner)
