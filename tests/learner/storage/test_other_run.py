"""Frozen opponents: read once from another run, named by digest, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chorus.common.environments import make
from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.opponents import FROZEN
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.learner.storage.other_run import freeze
from chorus.learner.storage.run_folder import RunFolder
from chorus.learner.update.training import first_version


def resolved(spec: str, **sections: Any) -> tuple[Config, EnvironmentSpec]:
    environment = make(spec).spec
    given = {"environment": {"spec": spec}, "network": {"encoder": 4, "lstm": 4}, **sections}
    return configuration.resolve(configuration.check(given), environment), environment


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A finished run on `spread`."""
    config, environment = resolved("spread?agents=2", seed=5)
    folder = RunFolder(tmp_path / "other")
    folder.begin(config, {})
    folder.write_final(first_version(config, divide(environment, config.sharing, config.network)))
    folder.close()
    return tmp_path / "other"


def test_the_weights_are_named_by_digest_and_kept_beyond_the_runs_own_versions(other: Path) -> None:
    config, environment = resolved("spread?agents=2", opponents={"agent_0": f"frozen:{other}"})
    found, versions = freeze(config, environment, None)
    data = (other / "final" / "policy.safetensors").read_bytes()
    assert versions[FROZEN].data == data
    assert versions[FROZEN].version == FROZEN
    assert found.frozen[str(other)].sha256 == versions[FROZEN].sha256.hex()
    assert found.frozen[str(other)].network.lstm == 4
    assert freeze(found, environment, None)[1] == versions, "the same again by a configuration that says all"


def test_a_run_that_has_begun_looks_at_nothing_but_itself(other: Path) -> None:
    config, environment = resolved("spread?agents=2", opponents={"agent_0": f"frozen:{other}"})
    found, _ = freeze(config, environment, None)
    other.rename(other.with_name("gone"))
    again, versions = freeze(config, environment, found.frozen)
    assert again == found
    assert not versions, "its checkpoints have them"


@pytest.mark.parametrize(
    ("sections", "spec", "complaint"),
    [
        ({"opponents": {"agent_0": "frozen:nowhere"}}, "spread?agents=2", "frozen:nowhere: there are no weights in it"),
        ({"opponents": {"agent_0": "frozen:OTHER"}}, "spread?agents=3", r"trained on spread\?agents=2: .*do not fit"),
        ({"frozen": {"OTHER": {"sha256": "00"}}}, "spread?agents=2", "is no opponent; write opponents"),
        (
            {"opponents": {"agent_0": "frozen:OTHER"}, "frozen": {"OTHER": {"sha256": "0" * 64}}},
            "spread?agents=2",
            "but `frozen` names 0000000000000000…; give the run that has those",
        ),
    ],
)
def test_what_cannot_be_played_against_is_refused(
    other: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], spec: str, complaint: str
) -> None:
    monkeypatch.chdir(other.parent)
    other.rename("OTHER")
    config, environment = resolved(spec, **sections)
    with pytest.raises(ConfigError, match=complaint):
        freeze(config, environment, None)
