"""Every example that a `--help` shows is run, as it stands but for small numbers and free ports."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chorus.commands.parser import COMMANDS, build_parser
from chorus.starter.write import write
from tests.system.processes import PATIENCE_SECONDS, QUICK, Chorus

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [(name, line) for name, module in COMMANDS.items() for _, line in module.EXAMPLES]
HEAVY = (
    *("chaos", "study", "bench", "train", "learner", "resume", "sweep"),
    *("report", "evaluate", "replay", "diff", "track"),
)
"""Commands whose examples are slow tests: `make slow` runs them."""
SMALL = ["--updates", "3", "--set", "task.episodes=4", "--set", "evaluate.every=0"]
ADDED = {
    # what makes an example small; it comes last, where it wins over what the example says
    "train": [*SMALL, "--actors", "1", "--no-pictures"],
    "learner": ["--updates", "100000"],
    "chaos": ["--set", "task.episodes=4"],
    "evaluate": ["--episodes", "2"],
    "league": ["--episodes", "2"],
    "check-env": ["--episodes", "2"],
}


@pytest.fixture(scope="module")
def scene(shared: Chorus) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder in which every example finds what it names, and what is written instead of its fixed ports."""
    folder = shared.folder / "scene"
    write(folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "sweep.yaml").write_text(
        "settings: { updates: 2, task.episodes: 4 }\nvary: { loss.discount: [0.9, 1.0] }\n"
    )
    shared.run("train", "--out", folder / "runs" / "mine", *QUICK, *SMALL, "--actors", "1", "--no-pictures")
    shutil.copytree(folder / "runs" / "mine", folder / "runs" / "again")
    duel = ("--config", "tictactoe_self_play", "--set", "self_play.every=1", *SMALL)
    shared.run("train", "--out", folder / "runs" / "duel", *duel, "--actors", "1", "--no-pictures")
    shared.run("certs", folder / "certs")
    learner, address = shared.learner("served", "--updates", "1000000", "--metrics-port", "0")
    metrics = learner.event("learner listens")["metrics_port"]
    yield folder, {"127.0.0.1:50051": address, "127.0.0.1:9090": f"127.0.0.1:{metrics}", "0.0.0.0:50051": "127.0.0.1:0"}


def run(folder: Path, line: str, command: str, places: dict[str, str]) -> subprocess.CompletedProcess[str]:
    example = line
    for fixed, free in places.items():
        line = line.replace(fixed, free)
    _, *words = shlex.split(line.replace("\\\n", " "))
    words = [sys.executable, "-P", "-m", "chorus", *words, *ADDED.get(command, [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    process = subprocess.Popen(words, cwd=folder, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True)
    try:
        if command in ("actor", "learner", "view"):  # they stay until they are asked to go
            for said in process.stdout or ():
                if '"ready"' in said or '"learner listens"' in said or "page:" in said:
                    process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS * (5 if heavy(example) else 1))
    finally:
        process.kill()
        process.wait()
    return subprocess.CompletedProcess(words, process.returncode, output)


def heavy(line: str) -> bool:
    return any(line.startswith(f"chorus {name}") for name in HEAVY)


@pytest.mark.parametrize(
    ("command", "line"),
    [pytest.param(*example, marks=[pytest.mark.slow] if heavy(example[1]) else []) for example in EXAMPLES],
    ids=[line.split("\\")[0] for _, line in EXAMPLES],
)
def test_an_example_of_the_help_works(scene: tuple[Path, dict[str, str]], command: str, line: str) -> None:
    folder, places = scene
    shutil.rmtree(folder / "fresh", ignore_errors=True)
    if command in ("init", "certs"):
        (folder / "fresh").mkdir()
        done = run(folder / "fresh", line, command, places)
    else:
        if command == "train":
            line = line.replace("runs/mine", "runs/another")  # that folder holds a run of other settings here
        done = run(folder, line, command, places)
    assert done.returncode == 0, done.stdout


def test_every_command_shows_examples_that_begin_with_it() -> None:
    shown = build_parser().format_help()
    for name, module in COMMANDS.items():
        assert module.EXAMPLES and name in shown
        for purpose, line in module.EXAMPLES:
            assert purpose and line.split()[:2] == ["chorus", name]
