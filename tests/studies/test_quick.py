"""Each study runs from the command line to its page, at a size that shows nothing but that."""

import json
import re
from pathlib import Path

import pytest

from chorus.commands.parser import main
from chorus.commands.study import STUDIES
from chorus.studies import answer

QUICKEST = ("memory", "baselines")
"""Those that `make test` does; the others are slow."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICKEST else pytest.mark.slow) for name in STUDIES]
)
def test_a_quick_study_writes_results_picture_page_and_answer(tmp_path: Path, name: str) -> None:
    assert main(["study", name, "--quick", "--jobs", "1", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / f"{name}.json").read_text())
    assert results["quick"]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / f"{name}.md").read_text()
    assert f"![{answer.STUDIES[name].title}]({name}.png)" in page
    assert "A quick run" in page
    assert len(re.findall(r"^\|", page, re.MULTILINE)) >= 4, "a table with two rows at least"
    assert not re.search(r"\bnan\b|\binf\b", page), "a figure is missing"
    readme = (tmp_path / "README.md").read_text()
    assert f"[{name}]({name}.md)" in readme
    assert readme.count("Not measured yet") == sum(part.study != name for part in answer.ANSWERS)


def test_the_command_knows_every_study() -> None:
    assert set(STUDIES) == set(answer.STUDIES) == {part.study for part in answer.ANSWERS}
