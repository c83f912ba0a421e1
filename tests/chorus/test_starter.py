"""What `chorus init` writes is what one starts from: it passes the check, it trains, and every setting is in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from chorus.commands.check_env import check as check_environment
from chorus.common.errors import ChorusError
from chorus.common.settings.config import Config, check
from chorus.common.settings.plain import read, scalar
from chorus.common.settings.reference import sections
from chorus.starter import config
from chorus.starter.write import write


def test_the_configuration_changes_nothing_but_what_it_names(tmp_path: Path) -> None:
    write(tmp_path)
    assert read(tmp_path / "config.yaml") == {"updates": 200, "environment": {"spec": "my_team:MyTeam"}}


def test_with_every_mark_taken_away_it_is_the_default_configuration() -> None:
    """So every setting is there, in its section, with its default."""
    lines = [line for line in config.text().splitlines() if not line.startswith("##")]
    settings = scalar("\n".join(re.sub("^# ", "", line) for line in lines))
    assert check(settings) == check({"updates": 200, "environment": {"spec": "my_team:MyTeam"}})
    assert settings.keys() == set(Config.__struct_fields__)
    for section in sections():
        for setting in section.settings:
            assert setting.name.rpartition(".")[2] in (settings[section.name] if section.name else settings)


def test_the_environment_passes_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    examination = check_environment("my_team:MyTeam", episodes=5)
    assert examination.trainable and examination.reproducible
    noted = {finding.topic for finding in examination.findings if finding.verdict.value != "fact"}
    assert noted <= {"instances"}, "nothing is noted but, on a busy machine, how long making one took"


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "my_team.py").write_text("mine")
    with pytest.raises(ChorusError, match=r"my_team\.py would be overwritten"):
        write(tmp_path)
    assert (tmp_path / "my_team.py").read_text() == "mine" and not (tmp_path / "config.yaml").exists()
