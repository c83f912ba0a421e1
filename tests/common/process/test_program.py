"""A program that Chorus starts finds the modules of whoever started it, and nothing of theirs stands in for its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chorus.common.process import program

LOOK = """
import json, os, sys
from chorus.common.process.program import look_there_too
look_there_too()
import beside, yaml
told = [beside.WORD, yaml.__file__, os.environ.get("PYTHONPATH"), [name for name in os.environ if "PLACES" in name]]
print(json.dumps(told))
"""


def test_places_of_the_starter_are_the_last_to_be_looked_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("WORD = 'found'")
    (tmp_path / "yaml.py").write_text("raise ImportError('not the package')")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    command = [sys.executable, "-P", "-c", LOOK]
    answer = subprocess.check_output(command, env=program.surroundings(), text=True, cwd=tmp_path)
    word, package, path, left = json.loads(answer)
    assert word == "found"
    assert Path(package).parent.name == "yaml", "the installed one"
    assert path is None and not left, "whoever it starts in turn is told of nothing"
