"""Completion by the shell, asked for as bash asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def completions(line: str, answer: Path) -> set[str]:
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "_ARGCOMPLETE_COMP_WORDBREAKS": " \t\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    done = subprocess.run([sys.executable, "-m", "chorus"], env=os.environ | asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {word.strip() for word in answer.read_text().split("\n")}


@pytest.mark.parametrize(
    ("line", "offered", "withheld"),
    [
        ("chorus tr", {"train"}, {"actor"}),
        ("chorus evaluate --gr", {"--greedy"}, {"--gif"}),
        ("chorus train --set loss.e", {"loss.entropy="}, {"loss.pool="}),
        ("chorus study va", {"variance"}, {"lag"}),
    ],
)
def test_the_shell_is_offered_what_fits(line: str, offered: set[str], withheld: set[str], tmp_path: Path) -> None:
    found = completions(line, tmp_path / "answer")
    assert offered <= found and not withheld & found


def test_a_command_that_nobody_asks_completions_of_does_not_pay_for_them() -> None:
    code = "import sys, chorus.commands.parser as p; p.build_parser(); print('argcomplete' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
