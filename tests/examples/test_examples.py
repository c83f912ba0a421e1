"""The notebook and the scripts in examples/ run as they stand."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import chorus
from tests.run_folders import write_run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(folder: Path, script: str, *arguments: str | Path) -> str:
    """What a script prints, run from another folder than its own."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel as Jupyter starts one, with its event loop, and NumPy loaded before Chorus."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "update 10/10" in printed
    assert chorus.Run(tmp_path / "runs" / "notebook").complete


@pytest.mark.timeout(300)
def test_an_environment_of_ones_own(tmp_path: Path) -> None:
    printed = run(tmp_path, "own_environment.py", "3", "runs/carriers")
    assert "update 3/3" in printed and "episode length:" in printed
    spec = chorus.Run(tmp_path / "runs" / "carriers").config["environment"]["spec"]
    assert spec == "own_environment:Carriers?places=7", "the run names what other processes can import"


def test_acting_with_a_trained_policy(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", "pettingzoo:mpe2.simple_spread_v3?N=3&max_cycles=25")
    assert run(tmp_path, "act.py", folder, "2").count("return -") == 2


@pytest.mark.timeout(300)
def test_a_sweep_of_a_setting(tmp_path: Path) -> None:
    printed = run(tmp_path, "sweep.py", "1", "1", "runs/sweep")
    assert printed.count("mean of 1 seeds") == 2 and "best:" in printed
    assert len(list((tmp_path / "runs" / "sweep").iterdir())) == 2
