"""Training from Python is the command's training, and ends as it does: complete, by Ctrl-C, by a fault, by a break."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import chorus
from chorus.api import environments
from chorus.api.callbacks import Progress
from chorus.common.errors import ConfigError, EnvironmentFault, RunFolderError
from chorus.evaluation.evaluate import play
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import newest_policy
from tests.run_folders import write_run
from tests.system.processes import ROOT, Chorus, opened, rows, until, weights
from tests.system.toys import fair

QUICK: dict[str, Any] = {"task.episodes": 8, "update.passes": 2, "learner": {"workers": 2}}


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Chorus]:
    (tmp_path / "commands").mkdir()
    with opened(tmp_path / "commands") as started:
        yield started


class Told(chorus.Callback):
    """What a callback was told, in order."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_start(self, run: chorus.Run) -> None:
        self.events.append(("start", run.config["seed"]))

    def on_update(self, progress: Progress) -> None:
        self.events.append(progress.update)

    def on_end(self, run: chorus.Run) -> None:
        self.events.append(("end", run.complete))


def test_it_trains_as_the_command_does_even_inside_an_event_loop(commands: Chorus, tmp_path: Path) -> None:
    told = Told()
    seen: list[Progress] = []

    async def notebook() -> chorus.Run:
        return chorus.train(
            "spread?agents=2",
            updates=3,
            seed=5,
            actors=2,
            out=tmp_path / "a",
            settings=QUICK,
            callbacks=[told, seen.append],
        )

    run = asyncio.run(notebook())
    command = commands.train("b", "--env", "spread?agents=2", "--updates", "3", "--seed", "5", "--actors", "1")
    assert weights(run.path) == weights(command)
    assert told.events == [("start", 5), 1, 2, 3, ("end", True)]
    assert [float(row["mixed_return"]) for row in rows(run.path)] == [p.metrics["mixed_return"] for p in seen]
    assert run.metrics["update"].tolist() == [0, 1, 2] and run.metrics["agent_steps"].dtype == "int64"


def test_evaluation_is_the_commands(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "spread?agents=2", task={"episodes": 4})
    measured = play(read_config(run), newest_policy(run), 5, 3, True)
    evaluation = chorus.evaluate(run, episodes=5, seed=3, greedy=True)
    assert (evaluation.episodes, evaluation.seed, evaluation.greedy, evaluation.policy_version) == (5, 3, True, 400)
    assert evaluation.measures.keys() == measured.keys()
    assert evaluation["mixed_return"].mean == measured["mixed_return"].mean()
    with pytest.raises(ConfigError, match="episodes is 0"):
        chorus.evaluate(run, episodes=0)


def test_leaving_the_loop_stops_with_a_checkpoint_and_the_same_call_goes_on(tmp_path: Path) -> None:
    def training() -> Any:
        return chorus.training("spread?agents=2", updates=100000, out=tmp_path / "run", settings=QUICK)

    for progress in training():
        if progress.update == 3:
            break
    assert not children(), "something was left behind"
    stopped_at = len(rows(tmp_path / "run"))
    assert not chorus.Run(tmp_path / "run").complete
    policy = chorus.load(tmp_path / "run")
    assert policy.version == stopped_at >= 3
    more = training()
    assert next(more).update == stopped_at + 1
    more.close()
    assert not children()


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "chorus" in child.cmdline()]


SCRIPT = """
import numpy, signal, sys
import chorus
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
try:
    chorus.train("spread?agents=2", updates=100000, out=sys.argv[1], settings={"task.episodes": 8}, callbacks=[print])
except KeyboardInterrupt as stopped:
    print("stopped:", stopped)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_ends_in_order_and_a_kill_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    run = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(run)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as caller:
        until(lambda: len(rows(run)) > 3)
        family = psutil.Process(caller.pid).children(recursive=True)
        assert len(family) >= 2
        caller.send_signal(how)
        printed, _ = caller.communicate(timeout=60)
    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in family))
    newest = max((run / "checkpoints").glob("*.safetensors"))
    if how is signal.SIGINT:
        assert "the same call continues" in printed
        assert int(newest.stem) == len(rows(run)), "the checkpoint is not of the last update"


def test_a_callback_that_raises_stops_the_training(tmp_path: Path) -> None:
    def fed_up(progress: Progress) -> None:
        if progress.update == 2:
            raise LookupError("enough")

    told = Told()
    with pytest.raises(LookupError, match="enough"):
        chorus.train("spread", updates=100000, out=tmp_path / "run", settings=QUICK, callbacks=[told, fed_up])
    assert told.events[-1] == ("end", False) and not children()
    with pytest.raises(TypeError, match="neither a callback nor a function"):
        chorus.train("spread", out=tmp_path / "other", callbacks=[3])  # type: ignore[list-item]
    assert not (tmp_path / "other").exists()


def test_faults_are_raised_as_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting loss\.entrpy; the nearest is loss\.entropy"):
        chorus.training(settings={"loss.entrpy": 1})
    with pytest.raises(ConfigError, match="settings: seed is a"):
        chorus.training(settings={"seed": object()})
    with pytest.raises(ConfigError, match="actors is 0"):
        chorus.training(actors=0)
    with pytest.raises(EnvironmentFault, match="sprad"):
        chorus.train("sprad", out=tmp_path / "a")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match=r"thesis\.tex"):
        chorus.train("spread", out=tmp_path / "papers")
    with pytest.raises(ConfigError, match="nowhere"):
        chorus.Run(tmp_path / "nowhere")
    with pytest.raises(chorus.ChorusError, match="nowhere"):
        chorus.evaluate(tmp_path / "nowhere")


def test_an_environment_of_ones_own_by_name(tmp_path: Path) -> None:
    chorus.register_env("toy", fair)
    run = chorus.train("toy?pause=0.0", updates=1, out=tmp_path / "run", settings=QUICK)
    assert run.config["environment"]["spec"] == "tests.system.toys:fair?pause=0.0"
    chorus.register_env("toy", "tests.system.toys:troubled")
    assert environments.resolve("toy?share=0.5") == "tests.system.toys:troubled?share=0.5"


def local_factory() -> Any:
    def inner() -> None: ...

    return inner


@pytest.mark.parametrize(
    ("name", "factory", "complaint"),
    [
        ("mine", lambda: None, "is a lambda"),
        ("mine", local_factory(), "defined inside a function"),
        ("mine", type("Made", (), {"__module__": "__main__"}), "notebook or an interactive session"),
        ("mine", 3, "neither a function nor a class"),
        ("mine", "my_env", "write module:function"),
        ("spread", fair, "cannot name an environment"),
        ("pettingzoo", fair, "cannot name an environment"),
        ("a b", fair, "cannot name an environment"),
    ],
)
def test_a_factory_that_actors_could_not_import_is_refused(
    name: str, factory: Any, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    with pytest.raises(EnvironmentFault, match=complaint):
        chorus.register_env(name, factory)
    assert environments.resolve("mine?size=2") == "mine?size=2"


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """The training's processes import the script to find its environment; that must not start training again."""
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import chorus\nfrom tests.system.toys import Toy\nclass Own(Toy): pass\n"
        "chorus.register_env('own', Own)\nchorus.train('own', updates=1, out='runs/x')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "if __name__ == '__main__':" in done.stderr
