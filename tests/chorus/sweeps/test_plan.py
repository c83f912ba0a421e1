"""What a sweep's file means, and what is refused of it."""

from pathlib import Path
from typing import Any

import pytest

from chorus.common.errors import ConfigError
from chorus.sweeps.plan import parse
from chorus.sweeps.sweep import read_plan

TWO_BY_TWO: dict[str, Any] = {
    "settings": {"environment.spec": "spread", "evaluate": {"every": 5}},
    "vary": {"optimiser.learning_rate": [1e-3, 3e-3], "sharing.mode": ["all", "none"]},
    "seeds": 3,
}


def test_every_combination_is_run_with_every_seed() -> None:
    trials = parse(TWO_BY_TWO).trials()
    found = [
        (trial.settings["optimiser"]["learning_rate"], trial.settings["sharing"]["mode"], trial.settings["seed"])
        for trial in trials
    ]
    assert found == [(rate, mode, seed) for rate in (1e-3, 3e-3) for mode in ("all", "none") for seed in (0, 1, 2)]
    assert all(trial.settings["evaluate"]["every"] == 5 for trial in trials)
    assert len({trial.name for trial in trials}) == 12


def test_a_file_is_read_with_the_settings_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("updates: 7\noptimiser: { name: sgd }\n")
    (tmp_path / "sweep.yaml").write_text("config: base.yaml\nvary:\n  loss.discount: [0.9, 1.0]\nseeds: [4, 9]\n")
    plan = read_plan(tmp_path / "sweep.yaml")
    assert [trial.settings["seed"] for trial in plan.trials()] == [4, 9, 4, 9]
    assert plan.trials()[0].settings["updates"] == 7
    assert parse(plan.plain()) == plan


def test_names_of_run_folders_are_only_names() -> None:
    plan = parse({"vary": {"environment.spec": ["spread?agents=3", "../../etc/passwd:x", "spread?agents=4"]}})
    for trial in plan.trials():
        assert Path(trial.name).name == trial.name
        assert not trial.name.startswith(".")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"varied": {}}, "a sweep has no 'varied'"),
        ({"vary": {"optimiser.learning_rate": 1e-3}}, "give a list of values"),
        ({"vary": {"optimiser.learning_rate": []}}, "give a list of values"),
        ({"vary": {"optimiser.lerning_rate": [1.0]}}, "the nearest is optimiser.learning_rate"),
        ({"vary": {"optimiser.learning_rate": [1e-3, -1.0]}}, "must be greater than 0"),
        ({"vary": {"seed": [1, 2]}}, "seed is varied by seeds"),
        ({"vary": [1]}, "vary is [1]"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": [1, 1]}, "a seed stands there twice"),
        ({"seeds": True}, "seeds is True"),
        ({"actors": 0}, "actors is 0"),
        ({"vary": {"loss.discount": [0.5] * 1000}, "seeds": 1000}, "would be 1000000 runs"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError) as fault:
        parse(given)
    assert complaint in str(fault.value)
