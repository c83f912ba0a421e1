"""A search in the place of a grid: it follows from its file alone, goes on after a kill, and seeks where it is good."""

import sys
from collections.abc import Sequence
from math import log10, nan
from pathlib import Path
from typing import Any

import pytest

from chorus.common.errors import ConfigError
from chorus.sweeps.choose import choose
from chorus.sweeps.folder import SweepFolder
from chorus.sweeps.plan import Plan, Trial, parse
from chorus.sweeps.search import Choice
from chorus.sweeps.sweep import _rounds, do_one

PLAN: dict[str, Any] = {
    "settings": {"environment.spec": "spread"},
    "search": {
        "over": {
            "optimiser.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
            "network.lstm": {"low": 32, "high": 128, "step": 32},
            "network.encoder": [64, [64, 64]],
        },
        "combinations": 20,
        "round": 4,
        "seed": 3,
    },
    "seeds": 2,
}


def goodness(settings: dict[str, Any]) -> float:
    """A made-up result, best at a learning rate of 0.01."""
    return float(-((log10(settings["optimiser"]["learning_rate"]) + 2) ** 2) + settings["seed"] / 10)


class Imagined(SweepFolder):
    """A sweep's folder whose runs have reached what `goodness` says, but for those whose names are in `failed`."""

    failed: Sequence[str] = ()

    def reached(self, trial: Trial) -> float:
        return nan if trial.name in self.failed else goodness(trial.settings)


def search(out: Path, plan: Plan, rounds: int = 100, failed: Sequence[str] = ()) -> list[Trial]:
    """The runs of so many rounds; then, as it were, the search is killed."""
    done: list[Trial] = []
    with Imagined(out, plan) as folder:
        folder.failed = failed
        for number, part in enumerate(_rounds(folder, plan, lambda _: None)):
            done += part
            if number + 1 == rounds:
                break
    return done


def test_a_search_follows_from_its_file_alone_and_a_killed_one_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    plan = parse(PLAN)
    assert parse(plan.plain()) == plan
    whole = search(tmp_path / "whole", plan)
    assert len(whole) == plan.count == 40
    assert len({trial.name for trial in whole}) == 40
    killed = search(tmp_path / "killed", plan, rounds=2)
    assert killed == whole[:16]
    assert search(tmp_path / "killed", plan) == whole
    other = parse({**PLAN, "search": {**PLAN["search"], "seed": 4}})
    assert search(tmp_path / "other", other, rounds=1) != whole[:8]


def test_what_is_chosen_lies_in_its_range_and_gathers_where_results_are_good(tmp_path: Path) -> None:
    trials = search(tmp_path / "sweep", parse(PLAN))
    rates = [trial.settings["optimiser"]["learning_rate"] for trial in trials]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert {trial.settings["network"]["lstm"] for trial in trials} <= {32, 64, 96, 128}
    assert all(trial.settings["network"]["encoder"] in (64, [64, 64]) for trial in trials)
    distances = [abs(log10(rate) + 2) for rate in rates]
    assert sum(distances[-16:]) < sum(distances[:16])


def test_a_combination_that_fails_is_not_the_best_and_the_search_goes_on(tmp_path: Path) -> None:
    plan = parse(PLAN)
    first = search(tmp_path / "sweep", plan, rounds=1)
    trials = search(tmp_path / "sweep", plan, failed=[first[0].name])
    assert trials[:8] == first
    assert len(trials) == 40


def test_all_values_are_seen_to_be_possible_before_anything_is_run() -> None:
    with pytest.raises(ConfigError, match="greater than 0"):
        parse({"search": {"over": {"optimiser.learning_rate": {"low": -1.0, "high": 1.0}}}})
    with pytest.raises(ConfigError, match=r"nearest is optimiser\.learning_rate"):
        parse({"search": {"over": {"optimiser.lerning_rate": [1e-3, 1e-2]}}})


@pytest.mark.parametrize(
    ("over", "complaint"),
    [
        ({}, "over is {}"),
        ({"updates": 5}, "give a list of at least two values"),
        ({"updates": [5]}, "give a list of at least two values"),
        ({"updates": {"low": 5}}, "high is None: expected a number"),
        ({"updates": {"low": 5, "high": 5}}, "low, 5, must be less than high"),
        ({"updates": {"low": 5, "high": 9, "base": 2}}, "a range has low, high, log, step"),
        ({"updates": {"low": 5, "high": 9, "step": 0.5}}, "low and high are whole numbers"),
        ({"loss.entropy": {"low": 0.0, "high": 0.1, "log": True}}, "there is no logarithm"),
        ({"loss.entropy": {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}}, "not together with log"),
        ({"seed": [1, 2]}, "nothing to search"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(over: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as fault:
        parse({"search": {"over": over}})
    assert complaint in str(fault.value)


def test_a_search_and_a_grid_or_an_array_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give one of the two"):
        parse({**PLAN, "vary": {"lag": [0, 1]}})
    with pytest.raises(ConfigError, match="decides as it goes"):
        do_one(PLAN, tmp_path / "sweep", 0)


def test_a_missing_optuna_is_named_before_anything_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    known: list[tuple[Choice, float]] = []
    with pytest.raises(ConfigError, match=r"chorus-marl\[search\]"):
        choose(parse(PLAN).search or pytest.fail("no search"), known)
