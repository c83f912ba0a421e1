"""Programs that play for opponents are found by name, and named by the digest of their file."""

import hashlib
import sys
from pathlib import Path

import pytest

from chorus.common.environments.interface import AgentSpec
from chorus.common.environments.scripts import load, provenance
from chorus.common.errors import ConfigError


def test_a_factory_is_found_and_its_file_named() -> None:
    factory = load("tests.scripted_players:first_allowed")
    assert factory(AgentSpec("one", (2,), (3,)))(None, None, None) == 0  # type: ignore[arg-type]
    file = Path(__file__).parents[2] / "scripted_players.py"
    told = provenance("tests.scripted_players:first_allowed")
    assert told == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def test_a_module_in_the_working_directory_is_found_and_naming_it_imports_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "league_of_mine.py").write_text("raise RuntimeError('imported')\n")
    assert provenance("league_of_mine:anyone").startswith("sha256:")
    assert "league_of_mine" not in sys.modules
    with pytest.raises(ConfigError, match=r"league_of_mine:anyone: its import failed: RuntimeError: imported"):
        load("league_of_mine:anyone")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("tests.nowhere:anyone", r"scripted:tests.nowhere:anyone: there is no module 'tests.nowhere'.*install it"),
        ("tests.scripted_players:first_allowd", "has no 'first_allowd'; did you mean 'first_allowed'?"),
        ("tests.scripted_players:NO_FUNCTION", "'NO_FUNCTION' is a int; name a function"),
    ],
)
def test_what_cannot_play_is_refused_by_name(script: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(script)
