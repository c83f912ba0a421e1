"""What is installed is one package, `chorus`, and it needs nothing of this checkout.

An actor's machine needs no torch: a wheel and requirements/actor.txt are all of it. A learner's trains.
"""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 300  # a first download of the requirements; with pip's cache it takes seconds


def run(*command: str | Path, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command away from the checkout, nothing of which can then be imported by accident."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=TIMEOUT_SECONDS)


def succeed(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = run(*command, cwd=cwd, **variables)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from what is committed: a copy of the packages without generated modules or earlier builds."""
    source = tmp_path_factory.mktemp("source")
    leave = shutil.ignore_patterns("__pycache__", "*_pb2.py", "*_pb2.pyi", "lstm.so")
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


@pytest.fixture(scope="module")
def learner_machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, and what the wheel needs borrowed from this one; its `bin` folder.

    The wheel comes first, so that pip has no other Chorus to look at; a line in a .pth file adds a folder to the path
    without heeding the .pth files in it, so that this checkout is not on it.
    """
    home = tmp_path_factory.mktemp("learner")
    succeed(sys.executable, "-m", "venv", home / "venv", cwd=home)
    programs = home / "venv" / "bin"
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install")
    succeed(*pip, "--no-deps", "--no-index", wheel, cwd=home)
    (packages,) = (home / "venv" / "lib").glob("python*/site-packages")
    borrowed = [place for place in sys.path if Path(place).name == "site-packages"]
    (packages / "borrowed.pth").write_text("".join(f"{place}\n" for place in borrowed))
    where = succeed(programs / "python", "-c", "import chorus; print(chorus.__file__)", cwd=home)
    assert where.startswith(str(packages)), "this checkout is on the path"
    return programs


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_pip_names_nothing_outside_the_package(learner_machine: Path, tmp_path: Path) -> None:
    told = succeed(learner_machine / "python", "-m", "pip", "show", "-f", "chorus-marl", cwd=tmp_path)
    files = [line.strip() for line in told.partition("Files:\n")[2].splitlines()]
    strangers = [file for file in files if not file.startswith(("chorus/", "chorus_marl-"))]
    assert len(files) > 200 and strangers == ["../../../bin/chorus"]


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
def test_a_wheel_made_where_there_is_a_compiler_brings_the_compiled_loops_for_any_python(wheel: Path) -> None:
    compiled = platform.machine() == "x86_64" and shutil.which("cc") is not None
    with zipfile.ZipFile(wheel) as archive:
        assert ("chorus/learner/gradient/lstm.so" in archive.namelist()) == compiled
    assert wheel.name.endswith("-py3-none-linux_x86_64.whl" if compiled else "-py3-none-any.whl")


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_an_environment_without_torch_runs_the_actor(actor_machine: Path, tmp_path: Path) -> None:
    torch = run(actor_machine / "python", "-c", "import torch", cwd=tmp_path)
    assert "No module named 'torch'" in torch.stderr
    assert "--learner" in succeed(actor_machine / "chorus", "actor", "--help", cwd=tmp_path)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_actors_lock_is_all_that_the_actor_asks_for(actor_machine: Path, tmp_path: Path) -> None:
    succeed(actor_machine / "python", "-m", "pip", "check", cwd=tmp_path)


OFTEN_USED = ("common", "actor", "learner", "protos", "studies", "benchmarks", "tests")
"""Names that a user's own modules often have."""
OURS = ("yaml", "numpy", "msgspec")
"""Names of what Chorus itself imports: a file so called in the working folder is nobody's dependency."""


def fill(folder: Path, names: tuple[str, ...]) -> Path:
    """A user's folder with modules of these names, each of which ends whoever imports it; and an environment."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text("raise SystemExit('the user's own module was imported')\n")
    shutil.copy(ROOT / "tests" / "system" / "toys.py", folder / "my_team.py")
    return folder


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_the_users_own_modules_are_never_taken_for_ours(actor_machine: Path, tmp_path: Path) -> None:
    """Modules in the working folder are not looked at, for whatever program of Chorus starts there."""
    folder = fill(tmp_path / "own", OFTEN_USED + OURS)
    starting = "from chorus.common.process import program; print(*program.command('actor', '--help'), sep='\\0')"
    command = succeed(actor_machine / "python", "-P", "-c", starting, cwd=folder).strip().split("\0")
    assert "--learner" in succeed(*command, cwd=folder)
    assert "--learner" in succeed(actor_machine / "chorus", "actor", "--help", cwd=folder)


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_an_installed_chorus_trains_whatever_lies_around_it(learner_machine: Path, tmp_path: Path) -> None:
    """On an environment of the user's own, for which the working folder is on the path, as the last place on it."""
    settings = ("--env", "my_team:fair", "--updates", "2", "--actors", "1", "--set", "task.episodes=4")
    train = (learner_machine / "chorus", "train", *settings, "--no-pictures", "--out", "run")
    plain, around, on_path = (
        fill(tmp_path / name, names) for name, names in (("a", ()), ("b", OFTEN_USED + OURS), ("c", OFTEN_USED))
    )
    succeed(*train, cwd=plain)
    succeed(*train, cwd=around)
    succeed(*train, cwd=on_path, PYTHONPATH=str(on_path))
    weights = [(folder / "run" / "final" / "policy.safetensors").read_bytes() for folder in (plain, around, on_path)]
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_without_an_own_environment_the_working_folder_is_not_on_the_path(actor_machine: Path, tmp_path: Path) -> None:
    """With one it comes last, after everything that is installed."""
    folder = fill(tmp_path / "own", ())
    (folder / "plain.py").write_text("class Environment:\n    class spec:\n        agents = ()\n")
    code = (
        "import sys; from chorus.common.environments import make; make('{}'); "
        "print([number - len(sys.path) for number, place in enumerate(sys.path) if place == {!r}])"
    )
    python = (actor_machine / "python", "-P", "-c")
    assert succeed(*python, code.format("spread", str(folder)), cwd=folder) == "[]\n"
    assert succeed(*python, code.format("plain:Environment", str(folder)), cwd=folder) == "[-1]\n"
