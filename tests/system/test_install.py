"""An actor's machine needs neither torch nor this checkout: a wheel and requirements/actor.txt are all of it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 300  # a first download of the requirements; with pip's cache it takes seconds


def run(*command: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """The command away from the checkout, nothing of which can then be imported by accident."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=TIMEOUT_SECONDS)


def succeed(*command: str | Path, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from what is committed: a copy of the packages without generated modules or earlier builds."""
    source = tmp_path_factory.mktemp("source")
    leave = shutil.ignore_patterns("__pycache__", "*_pb2.py", "*_pb2.pyi")
    shutil.copytree(ROOT / "chorus", source / "chorus", ignore=leave, symlinks=True)
    for link in (path for path in (ROOT / "chorus").iterdir() if path.is_symlink()):
        shutil.copytree(link.resolve(), source / link.name, ignore=leave)
    for file in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        if (ROOT / file).exists():
            shutil.copy(ROOT / file, source)
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    succeed(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def actor_machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds what an actor needs and nothing else; its `bin` folder."""
    home = tmp_path_factory.mktemp("actor")
    succeed(sys.executable, "-m", "venv", home / "venv", cwd=home)
    programs = home / "venv" / "bin"
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install")
    succeed(*pip, "--requirement", ROOT / "requirements" / "actor.txt", cwd=home)
    succeed(*pip, "--no-deps", "--no-index", wheel, cwd=home)
    return programs


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_a_wheel_holds_the_contract_and_the_modules_generated_from_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    contracts = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("protos/**/*.proto")]
    assert contracts
    for contract in contracts:
        stem = contract.removesuffix(".proto")
        assert {f"chorus/{name}" for name in (contract, f"{stem}_pb2.py", f"{stem}_pb2.pyi")} <= names
    assert {f"chorus/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"chorus"}, "one import package"


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_an_environment_without_torch_runs_the_actor(actor_machine: Path, tmp_path: Path) -> None:
    torch = run(actor_machine / "python", "-c", "import torch", cwd=tmp_path)
    assert "No module named 'torch'" in torch.stderr
    assert "--learner" in succeed(actor_machine / "chorus", "actor", "--help", cwd=tmp_path)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_actors_lock_is_all_that_the_actor_asks_for(actor_machine: Path, tmp_path: Path) -> None:
    succeed(actor_machine / "python", "-m", "pip", "check", cwd=tmp_path)


OFTEN_USED = ("common", "actor", "learner", "protos", "studies", "benchmarks", "tests", "yaml", "numpy")
"""Names that a user's own modules often have, and names of what Chorus itself imports."""


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_users_own_modules_are_never_taken_for_ours(actor_machine: Path, tmp_path: Path) -> None:
    """Modules in the working folder are not looked at, for whatever program of Chorus starts there."""
    for name in OFTEN_USED:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user's own module was imported')\n")
    starting = "from chorus.common.process import program; print(*program.command('actor', '--help'), sep='\\0')"
    command = succeed(actor_machine / "python", "-P", "-c", starting, cwd=tmp_path).strip().split("\0")
    assert "--learner" in succeed(*command, cwd=tmp_path)
    assert "--learner" in succeed(actor_machine / "chorus", "actor", "--help", cwd=tmp_path)
