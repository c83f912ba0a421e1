"""Environments as people have them: that end their process, print, leave things behind, or may live only once."""

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.processes import Chorus, Process, players, rows, until, weights

OWN = "tests.system.toys"
SMALL = ("--set", "task.episodes=4", "--set", "learner.workers=1", "--no-pictures")
PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def started(chorus: Chorus, spec: str, *settings: str, **environment: str) -> Process:
    command: tuple[str | Path, ...] = ("train", "--out", chorus.folder / "run", "--env", spec, *SMALL, *settings)
    return chorus.start(*command, **environment)


def log_of(run: Path) -> list[dict[str, Any]]:
    """Every whole line of it so far, each of which must be an event."""
    path = run / "log.jsonl"
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


def lives(pid: int) -> bool:
    """Whether a process is at work; one that waits for somebody to notice its end is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("trouble", "how"),
    [
        ("ends", "exit code 139"),
        pytest.param("ends%20well", "exit code 0", marks=pytest.mark.slow),
        pytest.param("aborts", "SIGABRT", marks=pytest.mark.slow),
    ],
)
def test_a_task_in_which_actors_die_is_given_up_after_three_and_told_of_at_the_first(
    chorus: Chorus, trouble: str, how: str
) -> None:
    training = started(chorus, f"{OWN}:troubled?trouble={trouble}&share=0.02", "--actors", "2")
    complaint = training.refused()
    assert "failed on three tries (seed 0)" in complaint and f"died of itself: {how}" in complaint
    assert f"chorus replay {chorus.folder / 'run'} --update" in complaint
    told = training.out.read_text()
    assert "ended of itself, in training task" in told and "which is tried again" in told


def test_an_environment_in_a_process_of_its_own_takes_no_actor_with_it(chorus: Chorus) -> None:
    settings = ("--actors", "1", "--set", "environment.isolation=process")
    complaint = started(chorus, f"{OWN}:troubled?trouble=ends&share=0.02", *settings).refused()
    assert "failed on three tries" in complaint and "its process ended of itself: exit code 139" in complaint
    assert not [event for event in log_of(chorus.folder / "run") if event["event"].startswith("actor ended")]


def test_actors_that_die_before_they_play_are_not_started_for_ever_and_the_reason_is_on_the_screen(
    chorus: Chorus,
) -> None:
    training = started(chorus, f"{OWN}:troubled?trouble=ends", "--actors", "1")
    complaint = training.refused()
    assert "actor-0 ended 3 times before it played anything: exit code 139" in complaint
    assert "actor-0 ended of itself, before it played anything" in training.out.read_text()


@pytest.mark.slow
def test_one_that_hangs_before_it_plays_is_given_up_with_the_place_where_it_hangs(chorus: Chorus) -> None:
    training = started(chorus, f"{OWN}:troubled?trouble=hangs", "--actors", "1", "--set", "learner.task_timeout=3")
    complaint = training.refused()
    assert "ended 3 times before it played anything: exit code 70" in complaint and "_have_trouble" in complaint


@pytest.mark.slow
def test_whoever_kills_actors_gives_up_no_run(chorus: Chorus) -> None:
    training = started(chorus, f"{OWN}:fair?pause=0.02", "--actors", "1", "--updates", "100000")
    run = chorus.folder / "run"
    killed: set[int] = set()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):

        def fresh() -> psutil.Process | None:
            children = psutil.Process(training.pid).children()
            ready = sum(event["event"] == "ready" for event in log_of(run)) > len(killed)
            return next((child for child in children if child.pid not in killed), None) if ready else None

        victim = until(fresh)
        killed.add(victim.pid)
        victim.send_signal(number)
    reached = len(rows(run))
    until(lambda: len(rows(run)) > reached + 1)
    assert training.popen.poll() is None
    assert not [event for event in log_of(run) if event["event"] == "an actor died in a task"]


def test_what_an_environment_prints_and_leaves_behind_is_kept_apart_closed_and_ended(chorus: Chorus) -> None:
    diary = chorus.folder / "diary.txt"
    training = started(chorus, f"{OWN}:Careless?diary={diary}", "--actors", "2", "--updates", "3")
    told = training.succeeded()
    assert "the thread 'simulator heartbeat' was still running at the end" in told
    assert "a line from" not in told
    run = chorus.folder / "run"
    assert log_of(run), "every line of the log is an event"
    printed = (run / "prints.log").read_text()
    assert "a line from Python" in printed and "a line from C" in printed
    notes = [line.split() for line in diary.read_text().splitlines()]
    made = sorted(note[1:] for note in notes if note[0] == "made")
    assert made == sorted(note[1:] for note in notes if note[0] == "closed")
    alive = [int(note[1]) for note in notes if note[0] == "child" and lives(int(note[1]))]
    assert not alive, "simulators' child processes are ended with them"


def test_no_variable_of_the_environment_sends_local_actors_through_a_proxy(chorus: Chorus) -> None:
    nowhere = dict.fromkeys(PROXIES, "http://127.0.0.1:9")
    started(chorus, "spread", "--actors", "1", "--updates", "2", **nowhere).succeeded()


def test_a_remote_actor_that_waits_is_told_why(chorus: Chorus) -> None:
    actor = chorus.actor("127.0.0.1:9", "lost")
    assert "onnect" in str(actor.event("stream lost")["details"])


@pytest.mark.parametrize("isolation", ["none", pytest.param("process", marks=pytest.mark.slow)])
def test_one_instance_is_enough_and_there_is_never_a_second_one(chorus: Chorus, isolation: str) -> None:
    spec = f"{OWN}:Lonely?licence={chorus.folder / 'licence'}"
    settings = ("--actors", "1", "--updates", "3", "--set", "task.instances=1")
    started(chorus, spec, *settings, "--set", f"environment.isolation={isolation}").succeeded()
    assert len(rows(chorus.folder / "run")) == 3


@pytest.mark.parametrize(
    "instances", [3, pytest.param(1, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow)]
)
def test_one_actor_and_three_learn_the_same_whatever_the_number_of_instances(chorus: Chorus, instances: int) -> None:
    settings = ("--env", f"{OWN}:fair?pause=0.001", "--updates", "4", "--set", f"task.instances={instances}")
    one = chorus.train("one", *settings, "--actors", "1", "--set", "update.tasks=6")
    three = chorus.train("three", *settings, "--actors", "3", "--set", "update.tasks=6")
    assert len(set().union(*players(three))) == 3
    assert weights(one) == weights(three)
