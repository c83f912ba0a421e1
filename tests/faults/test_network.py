"""The network between learner and actors is slow, loses packets, is narrow, or is gone for minutes."""

import time

import pytest

from tests.faults.conftest import RUN, UPDATES, Sound
from tests.faults.line import HOSTS, Line, line
from tests.system.processes import Chorus, Process, rows, until
from tests.system.relay import relay

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


def test_an_actor_that_was_cut_off_longer_than_it_may_be_silent_comes_back_by_itself(
    chorus: Chorus, sound: Sound
) -> None:
    """Half-open: both sides have a connection through which nothing comes. By a proxy, which needs no namespaces."""
    run = chorus.folder / "run"
    learner = chorus.start("learner", "--out", run, "--listen", "127.0.0.1:0", *RUN)
    with relay(f"127.0.0.1:{learner.event('learner listens')['port']}") as way:
        way.proxy.delay = SLOW
        actor = chorus.actor(way.address, "cut")
        until(lambda: len(rows(run)) > 2)
        way.freeze()
        learner.event("actor left")
        actor.event("stream lost")
        assert len(rows(run)) < UPDATES
        way.thaw()
        way.proxy.delay = 0.0
        actor.succeeded()
        assert sum(event["event"] == "ready" for event in actor.events()) == 2
        sound(learner)


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
