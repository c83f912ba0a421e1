"""The promise: how many processes the learner has changes no bit of the result, nor does what dies among them."""

import signal
import socket

import psutil
import pytest

from tests.system.processes import QUICK, Chorus, Process, batches, rows, until, weights

SETTINGS = ("--updates", "8", "--seed", "3", "--set", "update.tasks=5", "--set", "checkpoint.every=3")
PASSES = ("--set", "update.passes=2", "--set", "evaluate.every=3", "--set", "evaluate.episodes=20")


def neighbours() -> int:
    """The first of two free ports that follow one another."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def ended_well(process: Process) -> None:
    """However long it takes to be started again."""
    assert process.popen.wait() == 0, process.out.read_text() + process.err.read_text()


def test_two_processes_and_one_learn_the_same_weights_whoever_plays(chorus: Chorus) -> None:
    """One actor for two processes goes to and fro between them; four for one share its tasks."""
    one = chorus.train("one", *SETTINGS, *PASSES, "--actors", "2")
    two = chorus.train("two", *SETTINGS, *PASSES, "--actors", "1", "--learners", "2")
    assert weights(one) == weights(two)
    unlike = ("seconds", "agent_steps_per_second", "batch_seconds", "step_seconds")
    told = [[{name: row[name] for name in row if name not in unlike} for row in rows(run)] for run in (one, two)]
    assert told[0] == told[1]
    assert [batch["digest"] for batch in batches(one)] == [batch["digest"] for batch in batches(two)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("passes", [1, 4])
def test_any_number_of_processes_and_actors_learns_the_same_weights(chorus: Chorus, lag: int, passes: int) -> None:
    settings = (*SETTINGS, "--lag", str(lag), "--set", f"update.passes={passes}")
    runs = [
        chorus.train(f"{learners}-{actors}", *settings, "--actors", str(actors), "--learners", str(learners))
        for learners, actors in ((1, 1), (1, 6), (2, 1), (2, 3), (3, 1), (3, 6))
    ]
    assert len({weights(run) for run in runs}) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_torchrun_starts_a_group_again_when_one_of_it_is_killed(chorus: Chorus) -> None:
    undisturbed = chorus.train("undisturbed", *SETTINGS, "--actors", "2")
    run = chorus.folder / "killed"
    port = neighbours()
    learner = chorus.torchrun(2, "--out", run, "--listen", f"127.0.0.1:{port}", *QUICK, *SETTINGS)
    chorus.actor(f"127.0.0.1:{port},127.0.0.1:{port + 1}", "first")
    for update in (2, 5):
        until(lambda at=update: at < len(rows(run)))  # type: ignore[misc]
        workers = [child for child in psutil.Process(learner.pid).children() if "learner" in child.cmdline()]
        assert len(workers) == 2
        workers[update % 2].send_signal(signal.SIGKILL)
    ended_well(learner)
    assert weights(run) == weights(undisturbed)
    assert [int(row["update"]) for row in rows(run)] == list(range(8))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_that_hangs_is_noticed_and_all_are_started_again(chorus: Chorus) -> None:
    undisturbed = chorus.train("undisturbed", *SETTINGS, "--actors", "2")
    run = chorus.folder / "hung"
    settings = (*QUICK, *SETTINGS, "--actors", "2", "--learners", "2", "--set", "learner.group_timeout=15")
    training = chorus.start("train", "--no-pictures", "--out", run, *settings)
    until(lambda: len(rows(run)) > 4)
    (companion,) = [child for child in psutil.Process(training.pid).children() if "learner" in child.cmdline()]
    companion.send_signal(signal.SIGSTOP)
    ended_well(training)
    assert weights(run) == weights(undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_training_starts_its_learner_processes_again_when_one_is_killed(chorus: Chorus) -> None:
    undisturbed = chorus.train("undisturbed", *SETTINGS, "--actors", "2")
    run = chorus.folder / "killed"
    settings = (*QUICK, *SETTINGS, "--actors", "2", "--learners", "2")
    training = chorus.start("train", "--no-pictures", "--out", run, *settings)
    until(lambda: len(rows(run)) > 4)
    (companion,) = [child for child in psutil.Process(training.pid).children() if "learner" in child.cmdline()]
    companion.send_signal(signal.SIGKILL)
    ended_well(training)
    assert weights(run) == weights(undisturbed)
    assert [int(row["update"]) for row in rows(run)] == list(range(8))
