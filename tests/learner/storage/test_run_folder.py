"""A run folder belongs to one run and one learner; what is resumed is that run and nothing else."""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.policy.weights import make
from chorus.common.process.fingerprint import Fingerprint
from chorus.common.settings.config import Config, check, resolve
from chorus.learner.storage.run_folder import COLUMNS, RunFolder, read_about, read_config

SPEC = EnvironmentSpec("some", "some 1", (AgentSpec("a", (2,), (2,)),), 5)
FINGERPRINT: Fingerprint = {"chorus": "1", "numpy": "2", "digest": "abc"}


def settings(**sections: Any) -> Config:
    """A resolved configuration."""
    return resolve(check({"updates": 10} | sections), SPEC, horizon=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "first"


def begun(path: Path, **sections: Any) -> tuple[str, RunFolder]:
    """A folder in which a run has begun or goes on."""
    with ExitStack() as refused:
        folder = RunFolder(path)
        refused.callback(folder.close)
        state = folder.begin(settings(**sections), FINGERPRINT)
        refused.pop_all()
    return state, folder


def row(update: int) -> dict[str, Any]:
    """A line of the record."""
    return dict.fromkeys(COLUMNS, update)


def test_two_learners_on_one_folder_the_second_refuses_to_start(path: Path) -> None:
    _, first = begun(path)
    with pytest.raises(RunFolderError, match="another learner is using this run folder"):
        RunFolder(path)
    first.close()
    RunFolder(path).close()


HOLD = """
import sys, time
from pathlib import Path
from chorus.learner.storage.run_folder import RunFolder
held = RunFolder(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_the_lock_of_a_learner_that_is_killed_is_free_again(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as learner:
        try:
            assert learner.stdout is not None and learner.stdout.readline() == "held\n"
            with pytest.raises(RunFolderError, match="another learner"):
                RunFolder(path)
        finally:
            learner.kill()
    RunFolder(path).close()


def test_an_empty_folder_begins_a_run_with_everything_written_down(path: Path) -> None:
    run, folder = begun(path, seed=5)
    folder.close()
    assert len(run) == 8 and read_config(path) == settings(seed=5)
    about = read_about(path)
    assert about["id"] == run and about["fingerprint"] == FINGERPRINT and about["not_reproducible"] == []
    written = yaml.safe_load((path / "config.yaml").read_text())
    assert written["task"]["episodes"] == 80 and written["update"]["tasks"] == 4, "resolved"
    other, folder = begun(path.parent / "second", seed=5)
    folder.close()
    assert other != run


def test_the_same_settings_take_the_run_up_again(path: Path) -> None:
    run, folder = begun(path, seed=5)
    folder.close()
    before = (path / "config.yaml").read_bytes()
    again, folder = begun(path, seed=5)
    folder.close()
    assert again == run and (path / "config.yaml").read_bytes() == before


def test_updates_may_grow_and_nothing_else_changes(path: Path) -> None:
    run, folder = begun(path)
    folder.close()
    again, folder = begun(path, updates=25)
    folder.close()
    assert again == run and read_config(path) == settings(updates=25)
    with pytest.raises(ConfigError, match="updates may grow, not shrink to 24"):
        begun(path, updates=24)


def test_another_run_is_refused_with_the_keys_that_differ(path: Path) -> None:
    begun(path, seed=5)[1].close()
    before = (path / "config.yaml").read_bytes()
    with pytest.raises(ConfigError) as caught:
        begun(path, seed=6, loss={"discount": 0.5}, updates=99)
    said = str(caught.value)
    assert "seed: 5, 6" in said and "loss.discount: 0.99, 0.5" in said and "updates" not in said.split(".")[0]
    assert (path / "config.yaml").read_bytes() == before, "and nothing is changed"


def test_other_arithmetic_is_refused_with_both_named_unless_the_run_allows_it(path: Path) -> None:
    begun(path)[1].close()
    folder = RunFolder(path)
    with pytest.raises(ConfigError, match="numpy is 2 in the run, but 3 here"):
        folder.begin(settings(), FINGERPRINT | {"numpy": "3"})
    folder.close()
    mixed = path.parent / "mixed"
    begun(mixed, mixed_arithmetic=True)[1].close()
    folder = RunFolder(mixed)
    folder.begin(settings(mixed_arithmetic=True), FINGERPRINT | {"numpy": "3"})
    assert folder.irreproducible == [
        "unlike arithmetic is allowed (mixed_arithmetic)",
        "the run went on with unlike arithmetic: numpy is 2 in the run, but 3 here",
    ]
    folder.close()


def test_a_run_may_go_on_with_other_arithmetic_if_it_is_told_to_and_is_marked_then(path: Path) -> None:
    begun(path)[1].close()
    folder = RunFolder(path)
    folder.begin(settings(mixed_arithmetic=True), FINGERPRINT | {"numpy": "3"})
    folder.close()
    reasons = ["the run went on with unlike arithmetic: numpy is 2 in the run, but 3 here"]
    assert read_about(path)["not_reproducible"] == reasons and read_config(path).mixed_arithmetic
    folder = RunFolder(path)
    with pytest.raises(ConfigError, match="numpy is 2 in the run, but 3 here"):
        folder.begin(settings(), FINGERPRINT | {"numpy": "3"})  # not told so again
    folder.close()
    again = RunFolder(path)
    again.begin(settings(mixed_arithmetic=True), FINGERPRINT | {"numpy": "3"})
    assert again.irreproducible == reasons, "said once"
    again.close()


def test_a_folder_whose_learners_digest_was_altered_is_refused_in_words(path: Path) -> None:
    whole = FINGERPRINT | {"learner products": "9331664642e6", "learner begun on": "AMD EPYC"}
    folder = RunFolder(path)
    folder.begin(settings(), whole)
    folder.close()
    file = path / "config.yaml"
    file.write_text(file.read_text().replace("9331664642e6", "0331664642e6"))
    folder = RunFolder(path)
    with pytest.raises(ConfigError) as caught:
        folder.begin(settings(), whole)
    folder.close()
    assert "this run's learner multiplies otherwise" in str(caught.value)
    assert "begun on AMD EPYC" in str(caught.value) and "--mixed-arithmetic" in str(caught.value)


def test_a_checkpoint_that_another_learner_wrote_is_refused_too(path: Path) -> None:
    _, folder = begun(path)
    folder.refuse_unlike({}, {"learner step": "b"}, settings())  # one that does not say
    with pytest.raises(ConfigError, match="optimiser steps otherwise"):
        folder.refuse_unlike({"learner step": "a"}, {"learner step": "b"}, settings())
    folder.close()


def test_why_a_run_cannot_be_reproduced_is_remembered(path: Path) -> None:
    _, folder = begun(path)
    folder.mark_irreproducible("the environment draws from nowhere")
    folder.close()
    _, again = begun(path)
    again.close()
    assert again.irreproducible == ["the environment draws from nowhere"]
    assert read_config(path) == settings()


@pytest.mark.parametrize("stranger", ["thesis.tex", "metrics.csv", "checkpoints/00000001.safetensors"])
def test_a_folder_that_holds_something_but_no_run_is_left_alone(path: Path, stranger: str) -> None:
    place = path / stranger
    place.parent.mkdir(parents=True)
    place.write_text("dear to somebody")
    with pytest.raises(RunFolderError, match=r"holds no config\.yaml"):
        begun(path)
    assert place.read_text() == "dear to somebody"


def test_what_is_left_of_a_beginning_cut_short_by_a_crash_is_no_stranger(path: Path) -> None:
    path.mkdir(parents=True)
    (path / ".config.yaml.123.part").write_text("seed: ")
    (path / "log.jsonl").write_text("{}\n")
    begun(path)[1].close()
    assert read_config(path) == settings()


def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew_over_its_record(path: Path) -> None:
    _, folder = begun(path)
    folder.refuse_if_trained()
    folder.open_record(0, 0)
    folder.refuse_if_trained()
    folder.add(row(0), {"update": 0})
    with pytest.raises(RunFolderError, match="its checkpoints are gone"):
        folder.refuse_if_trained()
    folder.close()


def test_the_record_is_cut_back_to_what_the_checkpoint_knows(path: Path) -> None:
    _, folder = begun(path)
    folder.open_record(0, 0)
    folder.add(row(0), {"update": 0})
    folder.add(row(1), {"update": 1})
    known = folder.record_lengths()
    folder.add(row(2), {"update": 2})
    folder.close()
    with (path / "metrics.csv").open("ab") as file:
        file.write(b"3,3,")  # a line that was cut short

    _, folder = begun(path)
    folder.open_record(*known)
    folder.add(row(7), {"update": 7})
    folder.close()
    with (path / "metrics.csv").open() as file:
        assert [line["update"] for line in csv.DictReader(file)] == ["0", "1", "7"]
    assert (path / "batches.jsonl").read_text() == '{"update":0}\n{"update":1}\n{"update":7}\n'


def test_a_record_shorter_than_the_checkpoint_knows_is_a_loss_and_said_so(path: Path) -> None:
    _, folder = begun(path)
    folder.open_record(0, 0)
    folder.add(row(0), {"update": 0})
    metrics, batches = folder.record_lengths()
    folder.close()
    _, folder = begun(path)
    with pytest.raises(RunFolderError, match=rf"metrics\.csv has {metrics} bytes, but the checkpoint knows of"):
        folder.open_record(metrics + 1, batches)
    folder.close()
    (path / "batches.jsonl").unlink()
    _, folder = begun(path)
    with pytest.raises(RunFolderError, match=r"batches\.jsonl has 0 bytes"):
        folder.open_record(metrics, batches)
    folder.close()


def test_a_record_that_is_not_open_is_not_written(path: Path) -> None:
    _, folder = begun(path)
    for write in (lambda: folder.add(row(0), {}), folder.record_lengths):
        with pytest.raises(RunFolderError, match="not open"):
            write()
    folder.close()


def test_a_record_for_which_there_is_no_room_names_its_file_and_can_be_closed(path: Path) -> None:
    _, folder = begun(path)
    folder.open_record(0, 0)
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((path / "metrics.csv").stat().st_size + 10, hard))
    try:
        with pytest.raises(OSError, match=r"File too large.*metrics\.csv"):
            folder.add(row(0), {"update": 0})
        folder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    RunFolder(path).close()


def test_the_final_policy_is_the_very_bytes_that_acted(path: Path) -> None:
    _, folder = begun(path)
    version = make(10, {"all/head.bias": np.ones(3, np.float32)})
    folder.write_final(version)
    folder.write_final(version)
    assert (path / "final" / "policy.safetensors").read_bytes() == version.data
    assert [entry.name for entry in (path / "final").iterdir()] == ["policy.safetensors"]
    folder.close()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="choose another --out"):
        RunFolder(tmp_path / "file" / "run")


def test_a_folder_of_somebody_elses_settings_is_no_run(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("seed: 3\n")
    with pytest.raises(ConfigError, match="names no run"):
        begun(path)
    with pytest.raises(RunFolderError, match="is it a run folder"):
        read_config(path.parent / "nowhere")
