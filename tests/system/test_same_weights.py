"""The promise: how many actors and workers there are, and what dies on the way, changes no bit of the result."""

import signal
import sys
from pathlib import Path

import pytest

from tests.system.processes import QUICK, ROOT, Chorus, players, rows, until, weights

UPDATES = 9
SETTINGS = (
    *("--updates", str(UPDATES), "--seed", "3", "--set", "checkpoint.every=4"),
    *("--set", "update.tasks=6", "--set", "update.passes=4"),
)


@pytest.fixture(scope="module")
def undisturbed(shared: Chorus) -> dict[int, Path]:
    """Runs with one actor, by lag."""
    return {lag: shared.train(f"lag{lag}", *SETTINGS, "--actors", "1", "--lag", str(lag)) for lag in (0, 2)}


@pytest.mark.parametrize("lag", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_one_actor_and_three_learn_the_same_weights(chorus: Chorus, lag: int) -> None:
    """Large tasks here, so that all three are there before the run is over."""
    settings = (*SETTINGS, "--lag", str(lag), "--set", "task.episodes=16")
    one = chorus.train("one", *settings, "--actors", "1")
    three = chorus.train("three", *settings, "--actors", "3")
    assert max(len(names) for names in players(three)) == 3, "the three never shared an update, so nothing was shown"
    assert max(len(names) for names in players(one)) == 1
    assert weights(one) == weights(three)


def test_lag_changes_the_weights(undisturbed: dict[int, Path]) -> None:
    """So that the comparisons here can fail."""
    assert weights(undisturbed[0]) != weights(undisturbed[2])


def test_one_gradient_worker_and_three_learn_the_same_weights(chorus: Chorus, undisturbed: dict[int, Path]) -> None:
    for workers in ("1", "3"):  # two of them made the other run
        run = chorus.train(workers, *SETTINGS, "--actors", "1", "--set", f"learner.workers={workers}")
        assert weights(run) == weights(undisturbed[0])


@pytest.mark.parametrize("lag", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_killed_and_resumed_ends_as_one_that_was_not(
    chorus: Chorus, undisturbed: dict[int, Path], lag: int
) -> None:
    run = chorus.folder / "killed"
    for update in (3, 6):
        victim = chorus.start("train", "--out", run, "--actors", "2", "--lag", str(lag), *QUICK, *SETTINGS)
        until(lambda at=update: at < len(rows(run)))  # type: ignore[misc]
        victim.kill()
    chorus.train("killed", *SETTINGS, "--actors", "2", "--lag", str(lag))
    assert weights(run) == weights(undisturbed[lag])
    assert [int(row["update"]) for row in rows(run)] == list(range(UPDATES))
    record = ("update", "env_steps", "agent_steps", "mixed_return", "gradient_norm", "entropy")
    assert [[row[name] for name in record] for row in rows(run)] == [
        [row[name] for name in record] for row in rows(undisturbed[lag])
    ]


@pytest.mark.parametrize("lag", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_learner_killed_between_two_passes_goes_on_to_the_same_weights(
    chorus: Chorus, undisturbed: dict[int, Path], lag: int
) -> None:
    """Eight steps an update (four passes, two minibatches): step 61 is the fifth of the eighth update, whose first two
    passes are lost with the process."""
    command = ("learner", "--out", chorus.folder / "run", *QUICK, *SETTINGS, "--lag", str(lag))
    dies = (sys.executable, "-P", str(Path(__file__).with_name("dies_in_a_step.py")), "61")
    first = chorus.start(*command, "--listen", "127.0.0.1:0", within=dies, PYTHONPATH=str(ROOT))
    port = first.event("learner listens")["port"]
    actor = chorus.actor(f"127.0.0.1:{port}", "steady")
    assert first.ended() == -signal.SIGKILL
    assert len(rows(chorus.folder / "run")) <= 7
    second, _ = chorus.learner("run", *SETTINGS, "--lag", str(lag), port=port)
    second.succeeded()
    actor.succeeded()
    assert weights(chorus.folder / "run") == weights(undisturbed[lag])


def test_killing_an_actor_does_not_change_the_weights(chorus: Chorus, undisturbed: dict[int, Path]) -> None:
    learner, address = chorus.learner("run", *SETTINGS)
    first = chorus.actor(address, "first")
    second = chorus.actor(address, "second")
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    first.send(signal.SIGKILL)
    learner.succeeded()
    second.succeeded()
    assert weights(chorus.folder / "run") == weights(undisturbed[0])


def test_an_actor_with_other_arithmetic_is_refused_by_name(chorus: Chorus) -> None:
    _, address = chorus.learner("run")
    complaint = chorus.actor(address, "odd", OPENBLAS_CORETYPE="Sandybridge").refused()
    assert "OPENBLAS_CORETYPE is Haswell in the run, but Sandybridge here" in complaint


def test_unlike_arithmetic_may_play_together_if_the_run_says_so_and_the_run_says_so(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *SETTINGS, "--mixed-arithmetic")
    odd = chorus.actor(address, "odd", OPENBLAS_CORETYPE="Sandybridge")
    odd.event("ready")
    learner.succeeded()
    odd.succeeded()


def test_evaluation_changes_no_bit_of_the_training(chorus: Chorus, undisturbed: dict[int, Path]) -> None:
    evaluated = chorus.train(
        "evaluated", *SETTINGS, "--actors", "2", "--set", "evaluate.every=5", "--set", "evaluate.episodes=20"
    )
    assert weights(evaluated) == weights(undisturbed[0])
    measured = [int(row["update"]) for row in rows(evaluated) if row["evaluation_return"]]
    assert measured == list(range(0, UPDATES, 5))
