"""The tutorial works: its commands and its Python are run from top to bottom, in one shell."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chorus.commands.parser import COMMANDS, build_parser

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)


def script() -> str:
    """All that is to be run, as one shell script."""
    parts = ["set -euo pipefail", f'chorus() {{ {shlex.quote(sys.executable)} -P -m chorus "$@"; }}']
    for kind, text in BLOCKS:
        if kind == "sh":
            parts.append(text)
        if kind == "python":
            parts.append(f"{shlex.quote(sys.executable)} - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON")
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    return "\n".join(parts).replace(":50051", f":{port}")


@pytest.mark.timeout(300)
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script()], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    run = tmp_path / "my-team" / "runs" / "first"
    named = re.findall(r"^- `([\w./]+)`", TUTORIAL, re.MULTILINE) + re.findall(r"`(\w+\.(?:gif|csv|yaml))`", TUTORIAL)
    assert {"curve.png", "episode.gif", "metrics.csv", "final/policy.safetensors"} <= set(named)
    assert [name for name in {"curve.png", "episode.gif", *named} if not (run / name).exists()] == []
    weights = [(run.parent / name / "final" / "policy.safetensors").read_bytes() for name in ("first", "second")]
    assert weights[0] == weights[1], "what the tutorial says of one actor and of two"


def test_every_command_of_chorus_that_it_names_is_one() -> None:
    lines = [line for kind, text in BLOCKS if kind in ("sh", "console") for line in text.splitlines()]
    commands = [shlex.split(line.rstrip(" &")) for line in lines if line.startswith("chorus ")]
    assert len(commands) > 6
    for words in commands:
        assert build_parser().parse_args(words[1:]).command in COMMANDS


def test_what_it_says_of_compose_is_what_the_file_has() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (port,) = re.findall(r"localhost:(\d+)", TUTORIAL)
    assert f":-{port}}}:" in services["grafana"]["ports"][0]
    for scaled, copied in re.findall(r"--scale (\w+)=|docker compose cp (\w+):", TUTORIAL):
        assert (scaled or copied) in services


def test_what_it_says_of_kubernetes_is_there() -> None:
    (folder,) = re.findall(r"kubectl apply -k (\S+)", TUTORIAL)
    assert (ROOT / folder / "kustomization.yaml").is_file()
