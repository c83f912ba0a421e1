"""Real processes for the tests of this folder, ended whatever happens, and what must hold after any fault."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.system import processes
from tests.system.processes import Chorus, Process, opened, until, weights

UPDATES = 30
RUN = (
    *("--updates", str(UPDATES), "--set", "checkpoint.every=5", "--set", "learner.workers=2"),
    *("--set", "task.episodes=4", "--set", "update.passes=1"),
)
"""A run of small updates, for every test here, so that one undisturbed run is enough to compare them to."""

PATIENCE_SECONDS = 400.0
MARK = "FAULTS_OF"
"""A variable by which every process that a test started, or one of those started in turn, is known."""

Sound = Callable[[Process], None]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults take their time, and a machine may be busy besides."""
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def chorus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chorus]:
    monkeypatch.setenv(MARK, str(tmp_path))
    with opened(tmp_path) as started:
        yield started
    until(lambda: not living(tmp_path))  # not even one that lost its parent


@pytest.fixture(scope="session")
def peace(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The final weights of a run that nothing happened to."""
    with pytest.MonkeyPatch.context() as patched, opened(tmp_path_factory.mktemp("peace")) as started:
        patched.setattr(processes, "PATIENCE_SECONDS", PATIENCE_SECONDS)
        run = started.folder / "peace"
        started.run("train", "--no-pictures", "--out", run, "--actors", "1", *RUN)
        return weights(run)


@pytest.fixture
def sound(chorus: Chorus, peace: str) -> Sound:
    """Sees that a learner's run in the folder `run` ended as if nothing had happened, and left nothing behind."""

    def check(learner: Process) -> None:
        learner.succeeded()
        (accounts,) = [event for event in learner.events() if event["event"] == "accounts"]
        assert accounts["balanced"], accounts
        run = chorus.folder / "run"
        assert not list(run.rglob("*.part"))
        until(lambda: not living(chorus.folder))
        assert weights(run) == peace

    return check


def living(folder: Path) -> list[psutil.Process]:
    """The processes that a test with this folder has started and that are not over."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
