"""What the how-to pages show works as it stands there."""

import ast
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chorus
from chorus.common.environments import make
from tests.docs.pages import blocks
from tests.run_folders import write_run

EPISODES, STEPS = 100, 25
ROOT = Path(__file__).resolve().parents[2]


def run_python(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    script = folder / "page.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.timeout(300)
def test_using_chorus_from_python(tmp_path: Path) -> None:
    """The whole page from top to bottom, as one script; what it only acts with is there beforehand."""
    write_run(tmp_path / "runs" / "simple_spread", "pettingzoo:mpe2.simple_spread_v3?N=3&max_cycles=25")
    write_run(tmp_path / "runs" / "tictactoe", "pettingzoo:classic.tictactoe_v3")
    write_run(tmp_path / "runs" / "cartpole", "gymnasium:CartPole-v1")
    done = run_python("\n".join(blocks("how-to/use-from-python.md", "python")), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("True [")
    assert "best return of" in done.stdout and "update 4/4" in done.stdout
    assert len(chorus.Run(tmp_path / "runs" / "first").metrics) == 6, "break after the sixth update"


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_exported_policies_act_without_chorus_as_chorus_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's own lines, in onnxruntime, torch and NumPy: the same actions over a hundred episodes."""
    write_run(tmp_path / "runs" / "first", "spread?agents=3", network={"encoder": 32, "lstm": 32, "layer_norm": True})
    monkeypatch.chdir(tmp_path)
    for line in blocks("how-to/export-a-policy.md", "sh")[0].splitlines():
        from chorus.commands.parser import main

        assert main(shlex.split(line)[1:]) == 0
        assert Path(capsys.readouterr().out.strip()).exists()
    pages = blocks("how-to/export-a-policy.md", "python")
    assert len(pages) == 3
    for code in pages:
        assert not imported(code) & {"chorus"} and len(code.splitlines()) < 25
        compare(code)


def imported(code: str) -> set[str]:
    """The packages that some code imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


def compare(code: str) -> None:
    """Play a hundred episodes by Chorus; in each of them the page's `act` must choose every action alike."""
    page: dict[str, Any] = {}
    exec(code, page)
    policy = chorus.load("runs/first")
    environment = make("spread?agents=3")
    frame = environment.reset(EPISODES, np.random.default_rng(7))
    state = policy.initial_state(EPISODES)
    theirs = [page["state"] for _ in range(EPISODES)]
    chosen = set()
    for _ in range(STEPS):
        observations = frame.observations.copy()
        actions, state = policy.act(observations, state, greedy=True)
        for episode in range(EPISODES):
            said, theirs[episode] = page["act"](observations[episode], theirs[episode])
            np.testing.assert_array_equal(said, actions[episode, :, 0])
        chosen |= set(actions.ravel().tolist())
        frame = environment.step(actions).frame
    environment.close()
    assert len(chosen) > 2, "a policy that always does the same shows nothing"
