"""What `chorus check-env` says of the weight and the speed of an environment is what playing a task then shows."""

from __future__ import annotations

import json
import re

import pytest

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.checks.weight import MEGABYTE
from chorus.common.errors import EnvironmentFault
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import make as version
from chorus.common.settings.config import Config, resolve
from chorus.common.settings.plain import read
from tests.playground import tensors_for, training_task
from tests.system import processes
from tests.system.processes import ROOT, Chorus

SPECS = sorted({read(path)["environment"]["spec"] for path in (ROOT / "configs").glob("*.yaml")})
SAME_ORDER = 10.0


def told(chorus: Chorus, spec: str) -> dict[str, str]:
    """What the command says, by topic."""
    return {found["topic"]: found["text"] for found in json.loads(chorus.run("check-env", spec, "--json"))["findings"]}


def number(pattern: str, text: str) -> float:
    """The number that a pattern finds."""
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1].replace(",", ""))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("spec", SPECS)
def test_weight_and_speed_are_what_was_said(
    chorus: Chorus, spec: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 500.0)
    try:
        environment = make(spec)
    except EnvironmentFault as fault:
        assert "pip install" in str(fault)
        pytest.skip(str(fault))
    said = told(chorus, spec)
    config = resolve(Config(), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)
    player = Player(environment, policies, 0)
    showed: list[float] = []
    try:
        for index in range(9):  # the first is slow; of what takes milliseconds the fastest counts
            before = player.phases.environment
            played = player.play(version(0, tensors_for(policies, config)), training_task(index), config.episodes)
            showed.append(played.env_steps / (player.phases.environment - before))
            if index and player.phases.environment > 0.5:
                break
    finally:
        environment.close()
    steps = number(r"at ([\d,]+) steps", said["task"])
    shown = sum(array.nbytes for array in played.arrays.values()) * steps / len(played.acted)
    weight = MEGABYTE * number(r"weigh up to ([\d.,]+) MB", said["task"])
    speed = number(r"([\d,]+) env-steps/s", said["speed"])
    with capsys.disabled():
        print(f"\n{spec}: {weight / 1e6:.3f} MB said, {shown / 1e6:.3f} shown", end="")
        print(f"; {speed:,.0f} env-steps/s said, {max(showed):,.0f} shown")
    assert number(r"K = ([\d,]+) ", said["task"]) == config.episodes
    assert abs(weight - shown) < 0.1 * shown
    assert 1 / SAME_ORDER < speed / max(showed) < SAME_ORDER


def test_every_shipped_spec_is_looked_at() -> None:
    assert len(SPECS) >= 15
