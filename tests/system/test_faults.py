"""What goes wrong, and what happens then: environments that misbehave, actors that stop, disks that are full."""

import json
import resource
import shutil
import signal

import pytest

from tests.system.processes import QUICK, Chorus, Process, rows, until, weights

OWN = "tests.system.toys"
SMALL = ("--set", "task.episodes=4", "--set", "learner.task_timeout=2")


def train(chorus: Chorus, trouble: str, share: float = 1.0) -> Process:
    spec = f"{OWN}:troubled?trouble={trouble}&share={share}"
    return chorus.start("train", "--out", chorus.folder / "run", "--env", spec, "--actors", "2", *SMALL)


def test_an_environment_that_raises_ends_the_run_after_three_tries_with_all_that_is_needed_to_see_it_again(
    chorus: Chorus,
) -> None:
    complaint = train(chorus, "raises", share=0.02).refused()
    assert "failed on three tries (seed 0)" in complaint
    assert "RuntimeError: the bridge is \\x1b[31mout" in complaint, "what came over the wire is shown escaped"
    assert "toys.py" in complaint
    replay = complaint.split("To see it again: chorus ")[1].split()
    again = chorus.start(*replay)
    again.ended()
    assert "the bridge is" in again.err.read_text()


def test_an_environment_that_returns_nan_is_found_by_the_actor_and_never_trained_on(chorus: Chorus) -> None:
    complaint = train(chorus, "poisons", share=0.02).refused()
    assert "failed on three tries" in complaint
    assert "observations holds a NaN" in complaint
    assert all(row["loss"] != "nan" for row in rows(chorus.folder / "run"))


@pytest.mark.slow
def test_an_environment_that_hangs_ends_the_run_after_three_tries_and_says_where(chorus: Chorus) -> None:
    complaint = train(chorus, "hangs", share=0.02).refused()
    assert "hung: no step for 2 s" in complaint
    assert "_have_trouble" in complaint, "the stack of the thread that hangs"


def test_an_actor_stopped_for_a_while_holds_nobody_up_and_is_told_that_another_did_its_work(chorus: Chorus) -> None:
    spec = f"{OWN}:fair?pause=0.01"
    learner, address = chorus.learner("run", "--env", spec, "--updates", "100000", "--set", "task.episodes=4")
    sleeper = chorus.actor(address, "sleeper", "--allow-env", f"{OWN}:*")
    chorus.actor(address, "busy", "--allow-env", f"{OWN}:*").event("ready")
    sleeper.event("ready")
    until(lambda: len(rows(chorus.folder / "run")) > 5)
    sleeper.send(signal.SIGSTOP)
    reached = len(rows(chorus.folder / "run"))
    until(lambda: len(rows(chorus.folder / "run")) > reached + 2)
    sleeper.send(signal.SIGCONT)
    sleeper.event("an equal answer came first")
    assert learner.popen.poll() is None
    assert sleeper.popen.poll() is None


@pytest.mark.slow
def test_an_actor_stopped_for_longer_is_told_why_its_stream_ended_and_comes_back(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", "--updates", "100000")
    sleeper = chorus.actor(address, "sleeper")
    chorus.actor(address, "busy").event("ready")
    sleeper.event("ready")
    until(lambda: len(rows(chorus.folder / "run")) > 5)
    sleeper.send(signal.SIGSTOP)
    learner.event("actor refused", reason="silent", actor="sleeper")
    sleeper.send(signal.SIGCONT)
    assert "tasks were given to others" in sleeper.event("stream lost", code="ABORTED")["details"]
    until(lambda: sum(event["event"] == "ready" for event in sleeper.events()) == 2)


def test_a_full_disk_is_loud_and_the_run_goes_on_from_its_last_checkpoint(chorus: Chorus) -> None:
    run, settings = chorus.folder / "run", ("--updates", "20", "--set", "checkpoint.every=5", *QUICK)
    training = chorus.start("train", "--out", run, "--actors", "1", *settings)
    until(lambda: len(rows(run)) > 7)
    resource.prlimit(training.pid, resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    complaint = training.refused()
    assert "File too large" in complaint
    assert not list(run.rglob("*.part"))
    chorus.train("run", "--updates", "20", "--set", "checkpoint.every=5", "--actors", "1")
    assert weights(run) == weights(chorus.train("other", "--updates", "20", "--actors", "1"))


def test_the_newest_whole_checkpoint_is_used_and_without_any_nothing_is_begun_anew(chorus: Chorus) -> None:
    settings = ("--updates", "12", "--set", "checkpoint.every=2", "--set", "checkpoint.keep=5", "--actors", "1")
    run = chorus.train("run", *settings)
    whole, newest = weights(run), sorted((run / "checkpoints").glob("*.safetensors"))
    (run / "final" / "policy.safetensors").unlink()
    for path in newest[-2:]:
        path.write_bytes(path.read_bytes()[:1000])
    chorus.train("run", *settings)
    assert weights(run) == whole
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    broken = [event["file"] for event in log if event["event"].startswith("checkpoint is broken")]
    assert broken == [path.name for path in reversed(newest[-2:])]
    assert [event["update"] for event in log if event["event"] == "learner listens"] == [0, 8]
    for path in (run / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    again = ("train", "--out", run, *QUICK, *settings)
    assert "none of 6 checkpoints is whole" in chorus.start(*again).refused()
    shutil.rmtree(run / "checkpoints")
    assert "its checkpoints are gone" in chorus.start(*again).refused()


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_step_and_names_the_task(chorus: Chorus) -> None:
    run = chorus.folder / "run"
    settings = ("--set", "loss.entropy=1e39", "--set", "checkpoint.every=1", "--actors", "1")
    complaint = chorus.start("train", "--out", run, *QUICK, *settings).refused()
    assert "the gradient of task (0, 0) is not finite; the step was not taken" in complaint
    assert f"chorus replay {run} --update 0 --task 0" in complaint
    assert chorus.run("replay", run, "--update", "0", "--task", "0").endswith("that batch was never whole\n")
    assert [path.stem for path in (run / "checkpoints").glob("*.safetensors")] == ["00000000"]


def test_a_run_with_an_environment_that_is_not_reproducible_says_so_everywhere(chorus: Chorus) -> None:
    spec = "tests.common.environments.toys:walk?source=entropy"
    _, address = chorus.learner("run", "--env", spec, "--updates", "100000")
    chorus.actor(address, "gambler", "--allow-env", spec.partition("?")[0]).event("purity")
    until(lambda: len(rows(chorus.folder / "run")) > 0)
    told = chorus.run("status", address)
    assert "NOT REPRODUCIBLE" in told
    assert "two fresh instances differ for the same seed" in told
    assert "two fresh instances differ for the same seed" in (chorus.folder / "run" / "config.yaml").read_text()
