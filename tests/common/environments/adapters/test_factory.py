"""A user's own environment, by `package.module:factory`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.examination import examine
from chorus.common.environments.checks.purity import random_actions
from chorus.common.environments.spread import Spread
from chorus.common.errors import EnvironmentFault

TOYS = "tests.common.environments.toys"
DOCUMENT = Path(__file__).parents[4] / "docs" / "environments.md"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_the_example_of_the_documentation_works_as_it_is_printed(elsewhere: Path) -> None:
    pytest.importorskip("gymnasium")
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    example = next(block for block in blocks if "class Meeting" in block)
    code = [line for line in example.splitlines() if line.strip()]
    assert len(code) <= 36, "thirty lines, but for the imports"
    (elsewhere / "meeting.py").write_text(example)
    report = examine("meeting:Meeting", episodes=10, seed=0, steps=100)
    assert report.trainable, report.findings
    spec = make("meeting:Meeting").spec
    assert spec.team_reward and spec.max_steps == 20 and spec.package.startswith("meeting sha256:")
    sys.modules.pop("meeting")


def test_a_native_environment_is_used_as_it_is(elsewhere: Path) -> None:
    (elsewhere / "native_toy.py").write_text(
        "from chorus.common.environments.spread import Spread\n\ndef team(size=2):\n    return Spread(size)\n"
    )
    environment = make("native_toy:team?size=4")
    assert isinstance(environment, Spread) and len(environment.spec.agents) == 4
    sys.modules.pop("native_toy")


def test_a_gymnasium_environment_of_ones_own_is_taken_too(elsewhere: Path) -> None:
    pytest.importorskip("gymnasium")
    (elsewhere / "gym_toy.py").write_text("import gymnasium\n\ndef pole():\n    return gymnasium.make('CartPole-v1')\n")
    environment = make("gym_toy:pole")
    frame = environment.reset(3, np.random.default_rng(0))
    assert environment.step(random_actions(environment.spec, frame, np.random.default_rng(0))).rewards.all()
    sys.modules.pop("gym_toy")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("no_such_module:make", ["no module 'no_such_module'", "PYTHONPATH"]),
        (f"{TOYS}:wlk", ["no 'wlk'", "did you mean 'walk'"]),
        (f"{TOYS}:walk?sorce=seed", ["sorce='seed'", "did you mean 'source'"]),
        (f"{TOYS}:__name__", ["is a str", "function or a class"]),
        ("pathlib:Path", ["returned a PosixPath", "possible_agents"]),
        ("petingzoo:mpe2.simple_spread_v3", ["no module 'petingzoo'", "did you mean 'pettingzoo'"]),
    ],
)
def test_what_cannot_be_made_is_explained(spec: str, words: list[str]) -> None:
    with pytest.raises(EnvironmentFault) as fault:
        make(spec)
    for word in words:
        assert word in str(fault.value)


def test_what_a_users_module_lacks_is_named_and_not_the_module(elsewhere: Path) -> None:
    (elsewhere / "needy_toy.py").write_text("import vmas_but_misspelt\n")
    with pytest.raises(EnvironmentFault, match="vmas_but_misspelt"):
        make("needy_toy:make")
