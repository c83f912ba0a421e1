"""Signals, file modes, a home that cannot be written, a connection that is none: what `make test` looks at, too."""

import signal

import pytest

from tests.faults.conftest import RUN, UPDATES, Sound, living
from tests.system.processes import Chorus, Process, rows, until, weights
from tests.system.relay import relay

pytestmark = pytest.mark.timeout(900)

NOWHERE = "/proc"
"""A folder in which nobody, root included, can make a file."""


def train(chorus: Chorus) -> Process:
    """In a home that cannot be written, and as somebody who lets nobody else read."""
    return chorus.start(
        *("train", "--no-pictures", "--out", chorus.folder / "run", "--actors", "1", *RUN),
        within=("sh", "-c", 'umask 077 && exec "$@"', "sh"),
        HOME=NOWHERE,
        XDG_CACHE_HOME=NOWHERE,
    )


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param((signal.SIGTERM, signal.SIGTERM), id="SIGTERM twice", marks=pytest.mark.slow),
        pytest.param((signal.SIGHUP,), id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_a_signal_ended_goes_on_to_the_same_bytes_and_nobody_else_may_read_it(
    chorus: Chorus, peace: str, sent: tuple[signal.Signals, ...]
) -> None:
    training, run = train(chorus), chorus.folder / "run"
    until(lambda: len(rows(run)) > 7)
    for number in sent:
        training.send(number)
    assert training.ended() == (0 if sent[0] is signal.SIGTERM else -signal.SIGHUP)
    until(lambda: not living(chorus.folder))
    assert not list(run.rglob("*.part"))
    assert len(rows(run)) < UPDATES
    train(chorus).succeeded()
    assert weights(run) == peace
    assert not [path for path in run.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(True, id="until its connection breaks"),
        pytest.param(False, id="and nobody tells it", marks=pytest.mark.slow),
    ],
)
def test_an_actor_that_was_cut_off_longer_than_it_may_be_silent_comes_back_by_itself(
    chorus: Chorus, sound: Sound, told: bool
) -> None:
    """Half-open: both sides have a connection through which nothing comes. By a proxy, which needs no namespaces."""
    run = chorus.folder / "run"
    learner = chorus.start("learner", "--out", run, "--listen", "127.0.0.1:0", *RUN)
    with relay(f"127.0.0.1:{learner.event('learner listens')['port']}") as way:
        way.proxy.delay = 0.02  # so that there is time to cut it in mid-run
        actor = chorus.actor(way.address, "cut")
        until(lambda: len(rows(run)) > 2)
        way.freeze()
        assert "10 s" in learner.event("actor refused", reason="silent")["why"]
        assert len(rows(run)) < UPDATES
        if told:
            way.cut()
        else:
            actor.event("stream lost")
        way.thaw()
        way.proxy.delay = 0.0
        actor.succeeded()
        assert sum(event["event"] == "ready" for event in actor.events()) == 2
        sound(learner)
