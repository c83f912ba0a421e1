"""Signals, file modes, a home that cannot be written: the final bytes are the same."""

import signal

import pytest

from tests.faults.conftest import RUN, UPDATES, living
from tests.system.processes import Chorus, Process, rows, until, weights

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
        pytest.param((signal.SIGTERM, signal.SIGTERM), id="SIGTERM twice"),
        pytest.param((signal.SIGHUP,), id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_a_signal_ended_goes_on_to_the_same_bytes_and_nobody_else_may_read_it(
    chorus: Chorus, peace: bytes, sent: tuple[signal.Signals, ...]
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
