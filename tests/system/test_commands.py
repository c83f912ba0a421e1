"""The command line: what resumes, what is refused and how, what is left behind."""

import json
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from chorus.learner.storage.checkpoint import load_newest
from chorus.learner.storage.run_folder import read_about
from tests.system.processes import QUICK, Chorus, rows, until, weights


@pytest.fixture(scope="module")
def finished(shared: Chorus) -> Path:
    shared.run("train", "--out", shared.folder / "finished", *QUICK, "--updates", "6", "--actors", "2")
    return shared.folder / "finished"


def test_a_run_folder_holds_all_that_is_promised(finished: Path) -> None:
    expected = ("config.yaml", "metrics.csv", "batches.jsonl", "final/policy.safetensors", "curve.png", "episode.gif")
    assert [name for name in expected if not (finished / name).is_file()] == []
    assert list((finished / "checkpoints").glob("*.safetensors"))
    promised = (
        "update,env_steps,agent_steps,seconds,individual_return,team_return,mixed_return,episode_length,policy_version,"
        "policy_lag,agent_steps_per_second,evaluation_return"
    )
    assert set(promised.split(",")) <= set(rows(finished)[0])
    assert not list(finished.rglob("*.part"))


def test_every_checkpoint_names_the_arithmetic_of_the_learner_that_wrote_it(finished: Path) -> None:
    newest = load_newest(finished / "checkpoints")
    assert newest is not None and newest.counters.update == 6
    assert {"learner products", "learner step"} <= newest.counters.learner.keys()


@pytest.mark.slow
def test_a_run_goes_on_to_more_updates_as_if_it_had_been_asked_for_them_at_once(chorus: Chorus) -> None:
    """Where no setting takes the whole run: the default learning rate falls over the updates a run was begun with."""
    constant = ("--set", "optimiser.learning_rate=2e-3")
    chorus.train("run", *constant, "--updates", "3", "--actors", "2")
    chorus.train("run", *constant, "--updates", "6", "--actors", "1")
    chorus.train("at once", *constant, "--updates", "6", "--actors", "1")
    assert weights(chorus.folder / "run") == weights(chorus.folder / "at once")
    assert len(rows(chorus.folder / "run")) == 6


def test_a_finished_run_started_again_is_left_as_it_is(chorus: Chorus, finished: Path) -> None:
    before = weights(finished), (finished / "metrics.csv").read_bytes()
    again = ("train", "--no-pictures", "--out", finished, *QUICK, "--updates", "6", "--actors", "2")
    chorus.run(*again)
    assert (weights(finished), (finished / "metrics.csv").read_bytes()) == before


def test_another_configuration_is_refused_with_the_keys_that_differ(chorus: Chorus, finished: Path) -> None:
    for command in ("train", "learner"):
        other = chorus.start(
            command, "--out", finished, "--updates", "6", *QUICK, "--seed", "1", "--set", "loss.entropy=0.5"
        )
        complaint = other.refused()
        assert "loss.entropy: 0.01, 0.5; seed: 0, 1" in complaint
    fewer = chorus.start("train", "--out", finished, *QUICK, "--updates", "5")
    assert "updates may grow, not shrink to 5" in fewer.refused()


def test_a_folder_of_other_things_is_refused(chorus: Chorus) -> None:
    (chorus.folder / "papers").mkdir()
    (chorus.folder / "papers" / "thesis.tex").touch()
    assert "thesis.tex" in chorus.start("learner", "--out", chorus.folder / "papers").refused()


def test_two_learners_on_one_run_folder(chorus: Chorus) -> None:
    chorus.learner("run")
    second = chorus.start("learner", "--out", chorus.folder / "run", "--listen", "127.0.0.1:0", *QUICK)
    assert "another learner is using" in second.refused()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_cleanly_with_a_checkpoint(chorus: Chorus, number: signal.Signals) -> None:
    run = chorus.folder / "run"
    training = chorus.start("train", "--out", run, "--actors", "2", "--updates", "100000", *QUICK)
    until(lambda: len(rows(run)) > 3)
    family = psutil.Process(training.pid).children(recursive=True)
    assert len(family) == 2
    training.send(number)
    assert "continues it" in training.succeeded()
    assert not [child for child in family if child.is_running()], "actors were left behind"
    newest = max((run / "checkpoints").glob("*.safetensors"))
    assert int(newest.stem) == len(rows(run)), "the checkpoint is not of the last update"


def test_killing_the_trainer_leaves_no_actor_behind(chorus: Chorus) -> None:
    run = chorus.folder / "run"
    training = chorus.start("train", "--out", run, "--actors", "2", "--updates", "100000", *QUICK)
    until(lambda: len(rows(run)) > 3)
    family = psutil.Process(training.pid).children(recursive=True)
    training.send(signal.SIGKILL)
    until(lambda: not any(child.is_running() for child in family))


def test_evaluate_tells_and_films(chorus: Chorus, finished: Path) -> None:
    command = ("evaluate", finished, "--episodes", "12", "--seed", "5", "--json")
    told = json.loads(chorus.run(*command))
    assert told["episodes"] == 12
    assert told["mixed_return"]["mean"] < 0
    assert told["mixed_return"]["confidence_95"] > 0
    assert json.loads(chorus.run(*command)) == told, "equal seeds, other episodes"
    greedy = json.loads(chorus.run(*command, "--greedy", "--gif", chorus.folder / "film.gif"))
    assert greedy["mixed_return"] != told["mixed_return"]
    assert (chorus.folder / "film.gif").read_bytes()[:6] == b"GIF89a"
    assert "12 episodes by policy version 6" in chorus.run("evaluate", finished, "--episodes", "12")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("train", "--set", "loss.entrpy=1"), 3, "unknown setting loss.entrpy; the nearest is loss.entropy"),
        (("train", "--updates", "many"), 3, "updates is 'many'"),
        (("learner", "--out", "/nowhere", "--set", "update.tasks=0"), 3, "update.tasks is 0"),
        (("train", "--set", "loss=1"), 3, "loss is a section"),
        (("train", "--env", "sprad"), 4, "spread"),
        (("train", "--device", "cuda:99"), 3, "device is 'cuda:99'"),
        (("train", "--config", "missing.yaml"), 3, "missing.yaml"),
        (("train", "--init-from", "missing"), 3, "--init-from missing"),
        (("evaluate", "missing"), 5, "missing"),
        (("status", "127.0.0.1:1", "--timeout", "0.2"), 6, "no answer from 127.0.0.1:1"),
        (("train", "--actors", "0"), 2, "--actors"),
        (("trian",), 2, "invalid choice"),
    ],
)
def test_bad_input_is_refused_by_name(chorus: Chorus, arguments: tuple[str, ...], code: int, complaint: str) -> None:
    out = ("--out", str(chorus.folder / "run")) if arguments[0] == "train" else ()
    said = chorus.start(*arguments, *out).refused(code)
    assert complaint in said
    assert "Traceback" not in said


def test_an_environment_that_no_actor_may_import_ends_training_with_a_reason(chorus: Chorus) -> None:
    _, address = chorus.learner("run", "--env", "tests.system.toys:fair")
    refusal = chorus.actor(address, "careful").refused()
    assert "'tests.system.toys:fair', which this actor may not import" in refusal
    chorus.actor(address, "trusting", "--allow-env", "tests.system.*:fair").event("ready")


@pytest.mark.slow
def test_a_run_goes_on_with_another_learning_rate_which_is_written_down(chorus: Chorus) -> None:
    run = chorus.folder / "run"
    constant = ("--set", "optimiser.learning_rate=2e-3")
    chorus.train("run", *constant, "--updates", "4", "--actors", "1", "--set", "checkpoint.archive=1")
    chorus.run(
        "resume", run, "--updates", "8", "--actors", "1", "--no-pictures", "--set", "optimiser.learning_rate=1e-4"
    )
    about = read_about(run)
    assert about["changes"] == [{"from_update": 4, "settings": {"optimiser.learning_rate": [0.002, 0.0001]}}]
    assert [row["learning_rate"] for row in rows(run)] == ["0.002"] * 4 + ["0.0001"] * 4
    (run / "checkpoints" / "00000008.safetensors").unlink()
    (run / "checkpoints" / "00000004.safetensors").unlink()
    assert "the record holds the same" in chorus.run("replay", run, "--update", "7", "--task", "0")
    complaint = chorus.start("resume", run, "--set", "network.lstm=8").refused(3)
    assert "cannot be changed within a run" in complaint and "network.lstm: 64, 8" in complaint


def test_a_finished_run_says_so_and_how_to_go_on(chorus: Chorus, finished: Path) -> None:
    told = chorus.run("resume", finished, "--no-pictures")
    assert "this run is finished" in told and f"chorus resume {finished} --updates 12" in told


def test_a_run_ends_with_what_it_reached_and_what_to_type_next(chorus: Chorus) -> None:
    told = chorus.run("train", "--out", chorus.folder / "run", *QUICK, "--updates", "3", "--actors", "1")
    assert told.splitlines()[0] == f"spread?agents=3: 3 updates by 1 actors, in {chorus.folder / 'run'}"
    for words in (
        "return   ",
        "random play ",
        "3 of 3 updates",
        "bound    ",
        "curve.png, episode.gif",
        "chorus evaluate",
    ):
        assert words in told
    assert "--config spread" in told, "there are settings known to learn this"


def test_the_config_of_a_run_that_began_elsewhere_is_not_trained_from_fresh_weights(
    chorus: Chorus, finished: Path
) -> None:
    chorus.train("run", "--init-from", str(finished), "--updates", "1", "--actors", "1")
    config = chorus.folder / "run" / "config.yaml"
    again = ("train", "--no-pictures", "--actors", "1", "--out", chorus.folder / "again", "--config", config)
    assert "give --init-from RUN" in chorus.start(*again).refused(3)
    assert "its weights have the SHA-256" in chorus.start(*again, "--init-from", chorus.folder / "run").refused(3)
    chorus.run(*again, "--init-from", finished)
    assert rows(chorus.folder / "again")[0]["mixed_return"] == rows(chorus.folder / "run")[0]["mixed_return"]


@pytest.mark.slow
def test_weights_are_taken_from_an_unfinished_run_too(chorus: Chorus, finished: Path) -> None:
    unfinished = chorus.folder / "unfinished"
    shutil.copytree(finished, unfinished)
    shutil.rmtree(unfinished / "final")
    for name, source in (("a", finished), ("b", unfinished)):
        chorus.train(name, "--init-from", str(source), "--updates", "1", "--actors", "1")
    assert weights(chorus.folder / "a") == weights(chorus.folder / "b")


def test_runs_of_unlike_settings_are_told_apart_by_these_first(chorus: Chorus, finished: Path) -> None:
    chorus.train("run", "--seed", "7", "--updates", "2", "--actors", "1")
    other = chorus.start("diff", finished, chorus.folder / "run")
    assert other.ended() == 1
    lines = other.out.read_text().splitlines()
    assert lines[0].startswith("settings that differ") and "  seed: 0, 7" in lines
    assert "the runs part at update 0:" in lines


def test_each_agent_under_one_shared_policy_is_told_of(chorus: Chorus, finished: Path) -> None:
    told = json.loads(chorus.run("evaluate", finished, "--episodes", "4", "--json"))
    parts = [told[f"mixed_return of agent_{number}"]["mean"] for number in range(3)]
    assert sum(parts) == pytest.approx(told["mixed_return"]["mean"])
