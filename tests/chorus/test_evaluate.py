"""`chorus evaluate`: actions drawn or the likeliest, in the same episodes, in waves as the run plays them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chorus.commands.parser import main
from chorus.evaluation.evaluate import play
from chorus.evaluation.match import Match, play_tasks
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import newest_policy
from tests.run_folders import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = {"episodes": 4, "instances": 2}
    return write_run(tmp_path_factory.mktemp("runs") / "run", "spread?agents=3&steps=6", task=task)


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["evaluate", *map(str, arguments), "--episodes", "6", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_both_ways_to_choose_actions_are_measured_in_one_call(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = told(capsys, run, "--both")
    for way, alone in (("sampled", told(capsys, run)), ("greedy", told(capsys, run, "--greedy"))):
        assert both[way] == {name: figures for name, figures in alone.items() if isinstance(figures, dict)}
        assert {"mixed_return", "team_return", "mixed_return of agent_0"} <= both[way].keys()
        assert both[way]["mixed_return"]["confidence_95"] > 0
    assert both["sampled"] != both["greedy"]
    assert main(["evaluate", str(run), "--episodes", "6", "--both"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "6 episodes by policy version 400, sampled and greedy"
    assert [line for line in lines if line.endswith(":")] == ["sampled:", "greedy:"]


def test_a_film_is_of_one_way_to_choose_actions(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--both", "--gif", "film.gif"]) != 0
    assert "give --greedy in its place" in capsys.readouterr().err


def test_what_is_played_elsewhere_is_played_in_the_same_waves_as_here(run: Path) -> None:
    config, policy = read_config(run), newest_policy(run)
    assert (config.episodes, config.instances) == (4, 2)
    here = play(config, policy, 8, 5, greedy=False)["individual_return"]
    elsewhere = play_tasks(Match(str(run), seed=5), 2, jobs=1)
    np.testing.assert_array_equal(np.concatenate([task.individual.sum(axis=1) for task in elsewhere]), here)
