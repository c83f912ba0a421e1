"""What trackers are told of a run: by their own packages where those are small, else by a stand-in for them."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chorus.common.errors import ConfigError
from chorus.trackers.follow import follow
from chorus.trackers.mlflow import MLflow
from chorus.trackers.tensorboard import TensorBoard
from chorus.trackers.tracker import tracker
from chorus.trackers.trackio import Trackio
from chorus.trackers.wandb import WeightsAndBiases

UPDATES = 120


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"run: {{ id: abcd1234, fingerprint: {{}} }}\nupdates: {UPDATES}\nloss: {{ entropy: 0.5 }}\n"
    )
    lines = [f"{update},{update * 0.5},{3.25 if update % 40 == 0 else ''}" for update in range(UPDATES)]
    (folder / "metrics.csv").write_text("\n".join(["update,mixed_return,evaluation_return", *lines]) + "\n")
    return folder


def scalars(folder: Path) -> Iterator[tuple[str, int, float]]:
    """The scalars in TensorBoard event files: records of length, checksum, event, checksum."""
    events = pytest.importorskip("tensorboardX.proto.event_pb2")
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        place = 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = events.Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    yield value.tag, event.step, value.simple_value


def test_tensorboard_files_hold_every_update(run: Path) -> None:
    assert follow(run, TensorBoard(), wait=False) == UPDATES
    found = list(scalars(run / "tensorboard"))
    assert [(step, value) for tag, step, value in found if tag == "mixed_return"] == [
        (update + 1, update * 0.5) for update in range(UPDATES)
    ]
    assert [step for tag, step, _ in found if tag == "evaluation_return"] == [1, 41, 81], "empty cells are no numbers"


class Client:
    """A stand-in for MLflow's client, of what is used of it."""

    def __init__(self, uri: str | None) -> None:
        self.told: list[Any] = []
        self.params: dict[str, str] = {}
        self.ended = ""

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return "7"

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[Any]:
        assert (experiments, filter_string) == (["7"], "tags.`chorus.run` = 'abcd1234'")
        return []

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> Any:
        assert (experiment, tags["chorus.run"], run_name) == ("7", "abcd1234", "a run")
        return SimpleNamespace(info=SimpleNamespace(run_id="r"))

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        assert len(metrics) <= 1000
        assert len(params) <= 100
        self.told += metrics
        self.params |= {param.name: param.value for param in params}

    def set_terminated(self, run: str, status: str) -> None:
        self.ended = status


def test_mlflow_is_told_every_number_in_calls_of_allowed_size(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Client] = []
    entities = SimpleNamespace(
        Metric=lambda key, value, timestamp, step: (key, value, step),
        Param=lambda name, value: SimpleNamespace(name=name, value=value),
    )

    def client_of(uri: str | None) -> Client:
        made.append(Client(uri))
        return made[0]

    class Refused(Exception):
        """MLflow's own exception."""

    def refuse(uri: str | None) -> Client:
        raise Refused("set MLFLOW_ALLOW_FILE_STORE=true")

    tracking = SimpleNamespace(MlflowClient=client_of)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", SimpleNamespace(MlflowException=Refused))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)
    follow(run, MLflow(), wait=False)
    (client,) = made
    assert [(value, step) for key, value, step in client.told if key == "mixed_return"] == [
        (update * 0.5, update + 1) for update in range(UPDATES)
    ]
    assert client.params["loss.entropy"] == "0.5"
    assert client.ended == "KILLED", "the run has no final weights"
    tracking.MlflowClient = refuse
    with pytest.raises(ConfigError, match="MLflow says: set MLFLOW_ALLOW_FILE_STORE=true"):
        MLflow()


def test_weights_and_biases_goes_on_with_the_run_of_that_id_and_its_process_is_ended(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    logged: list[tuple[int, dict[str, float]]] = []

    def init(**arguments: Any) -> Any:
        told.update(arguments)
        finish = lambda exit_code: told.update(exit_code=exit_code)  # noqa: E731
        return SimpleNamespace(log=lambda metrics, step: logged.append((step, metrics)), finish=finish)

    teardown = lambda: told.update(ended=True)  # noqa: E731
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, teardown=teardown))
    told_to = WeightsAndBiases("mine", mode="offline")
    follow(run, told_to, wait=False)
    assert "ended" not in told, "it may serve other runs of this process"
    told_to.close()
    assert told["ended"]
    assert (told["project"], told["id"], told["resume"], told["mode"]) == ("mine", "abcd1234", "allow", "offline")
    assert [step for step, _ in logged] == list(range(1, UPDATES + 1))
    assert logged[1][1] == {"update": 1.0, "mixed_return": 0.5}
    assert told["exit_code"] == 1


def test_trackio_goes_on_with_the_run_of_that_name_and_measures_nothing_itself(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    logged: list[tuple[int, dict[str, float]]] = []

    def init(project: str, **arguments: Any) -> Any:
        told.update(arguments, project=project)
        finish = lambda: told.update(finished=True)  # noqa: E731
        return SimpleNamespace(log=lambda metrics, step: logged.append((step, metrics)), finish=finish)

    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(init=init))
    follow(run, Trackio("mine"), wait=False)
    assert (told["project"], told["name"], told["resume"]) == ("mine", "a run-abcd1234", "allow")
    assert told["config"]["loss.entropy"] == "0.5"
    assert not told["auto_log_cpu"] and not told["auto_log_gpu"]
    assert [step for step, _ in logged] == list(range(1, UPDATES + 1))
    assert logged[1][1] == {"update": 1.0, "mixed_return": 0.5}
    assert told["finished"]


def test_a_missing_package_and_an_unknown_tracker_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there are tensorboard, mlflow, wandb, trackio"):
        tracker("aimless")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"chorus-marl\[wandb\]"):
        tracker("wandb")
