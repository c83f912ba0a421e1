"""A policy taken home from a run: what its file says of itself, and that it acts as the run's policy acts."""

import json
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors import safe_open

import chorus
from chorus.actor.inference import Inference
from chorus.actor.sampling import squash
from chorus.common.environments.interface import Environment, EnvironmentSpec, as_seen
from chorus.common.environments.spread import Spread
from chorus.common.errors import ChorusError, ConfigError, RunFolderError
from chorus.common.policy.sharing import divide
from chorus.common.settings.config import check
from chorus.formats.model import describe
from chorus.formats.onnx import write as write_onnx
from tests.chorus.formats.exported import Exported, open_onnx, open_torchscript
from tests.playground import settings, tensors_for
from tests.run_folders import write_run
from tests.worlds import Gallery

PICTURE = Gallery((7, 6, 3), choices=(5,)).spec
RAW = replace(PICTURE, agents=tuple(replace(agent, raw=True) for agent in PICTURE.agents))
CASES: dict[str, tuple[EnvironmentSpec, dict[str, Any]]] = {
    "numbers": (Gallery((4,), choices=(3, 2, 4)).spec, {"sharing": {"mode": "all_with_id"}}),
    "torques": (Gallery((4,), bounds=((-1.0, 1.0), (0.0, 4.0))).spec, {"network": {"normalise_observations": True}}),
    "pictures": (PICTURE, {"network": {"memory": "gru", "lstm": 5, "layers": 2, "kernel": [5, 3], "stride": [1, 2]}}),
    "bytes": (RAW, {"sharing": {"mode": "all_with_id"}, "network": {"channels": [3], "encoder": 6, "lstm": 5}}),
    "flat bytes": (RAW, {"network": {"channels": [], "encoder": 6, "lstm": 5, "normalise_observations": True}}),
    "entities": (
        Gallery((5, 4), choices=(2,)).spec,
        {"network": {"attention": 8, "heads": 2, "layer_norm": True}, "loss": {"baseline": "value"}},
    ),
}
MODULES: dict[str, dict[str, Any]] = {
    "remembering": {"sharing": {"mode": "all_with_id"}},
    "forgetting": {"loss": {"baseline": "value"}, "value": {"network": "own"}},
}
STEPS, ROWS = 6, 9
FORMATS = {"onnx": open_onnx, "torchscript": open_torchscript}


def agree(run: Path, file: Exported) -> None:
    """That the file says what the run's one policy says, step after step."""
    policy = chorus.load(run)
    (part,) = policy.policies
    actor = Inference(policy._tensors, part, ROWS)
    members = np.arange(ROWS) % len(part.agents)
    draws = np.random.default_rng(0)
    file.begin(ROWS)
    for _ in range(STEPS):
        shape = (ROWS, part.agent.observation_size)
        raw = draws.integers(0, 256, shape, np.uint8)
        seen = raw if part.agent.raw else draws.normal(2.0, 3.0, shape).astype(np.float32)
        ids = np.eye(len(part.agents), dtype=np.float32)[members]
        expected = actor.step(np.concatenate([as_seen(seen), ids], axis=1) if part.identified else as_seen(seen)).T
        np.testing.assert_allclose(file.step(seen, members), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_a_run_s_policy_computes_what_its_actors_compute(case: str, form: str, tmp_path: Path) -> None:
    spec, sections = CASES[case]
    run = write_run(tmp_path / "run", spec, **sections)
    agree(run, FORMATS[form](chorus.export(run, form)))


@pytest.mark.parametrize("module", MODULES)
def test_a_network_of_one_s_own_is_inside_the_onnx_file(module: str, tmp_path: Path) -> None:
    network = {"module": f"tests.modules:{module}", "normalise_observations": True}
    run = write_run(tmp_path / "run", Gallery((4,), choices=(5,)).spec, network=network, **MODULES[module])
    file = open_onnx(chorus.export(run, "onnx"))
    assert ("state" in file.about["inputs"]) is (module == "remembering")
    agree(run, file)
    with safe_open(chorus.export(run, "safetensors"), framework="np") as archive:
        assert archive.get_tensor("module.onnx").dtype == np.uint8
    with pytest.raises(ChorusError, match=r"network\.module: .* is stored as ONNX.*--format onnx"):
        chorus.export(run, "torchscript")


WORLDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lstm with ids": (Spread, {"sharing": {"mode": "all_with_id"}}),
    "two grus": (Spread, {"network": {"memory": "gru", "lstm": 9, "layers": 2, "layer_norm": True}}),
    "no memory": (Spread, {"network": {"encoder": [9, 8], "memory": "none", "activation": "tanh"}}),
    "entities": (lambda: Gallery((5, 4), choices=(3, 2)), {"network": {"attention": 8, "activation": "silu"}}),
    "pictures": (lambda: Gallery((7, 6, 3), choices=(5,)), {"network": {"kernel": 5, "stride": [1, 3], "lstm": 7}}),
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("world", WORLDS)
def test_it_chooses_the_same_actions_over_a_hundred_episodes(world: str, tmp_path: Path) -> None:
    """Each plays the episodes by itself: one action that differs, and all that follows would."""
    made, sections = WORLDS[world]
    run = write_run(tmp_path / "run", made().spec, **sections)
    policy = chorus.load(run)
    state = policy.initial_state(100)

    def own(observations: Any, present: Any) -> Any:
        nonlocal state
        actions, state = policy.act(observations, state, greedy=True, present=present)
        return actions

    expected = play(made(), own)
    for form, opened in FORMATS.items():
        file = opened(chorus.export(run, form))
        agents = len(policy.agents)
        file.begin(100 * agents)

        def taken(observations: Any, present: Any, file: Exported = file, agents: int = agents) -> Any:
            said = file.step(observations.reshape(len(present) * agents, -1), np.tile(np.arange(agents), len(present)))
            starts = np.cumsum(file.about["choices"])[:-1]
            chosen = [part.argmax(axis=1) for part in np.split(said, starts, axis=1)]
            return np.stack(chosen, axis=1).reshape(*present.shape, -1) * present[..., None]

        np.testing.assert_array_equal(play(made(), taken), expected)
    assert len(np.unique(expected)) > 1


def play(environment: Environment, act: Any) -> Any:
    """What is done in a hundred episodes, `[step, episode, agent, component]`; zeros where nobody is."""
    frame, done = environment.reset(100, np.random.default_rng(3)), []
    over = np.zeros(100, np.bool_)
    while not over.all():
        done.append(act(frame.observations.copy(), frame.present.copy()).astype(np.int32))
        outcome = environment.step(done[-1])
        frame, over = outcome.frame, outcome.over
    return np.stack(done)


def test_the_metadata_says_how_actions_are_made(tmp_path: Path) -> None:
    """Bounded on both sides, on one, on none; and the file is JSON for everybody, which knows no infinity."""
    sides = ((-1.0, 3.0), (2.0, inf), (-inf, 0.5), (-inf, inf))
    run = write_run(tmp_path / "run", Gallery((4,), bounds=sides).spec)
    for path in (chorus.export(run, "onnx"), chorus.export(run, "safetensors")):
        if path.suffix == ".onnx":
            written = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        else:
            with safe_open(path, framework="np") as archive:
                written = archive.metadata()
        assert "Infinity" not in str(written)
        about = {name: json.loads(value) for name, value in written.items()}
        assert about["bounds"] == [[-1.0, 3.0], [2.0, None], [None, 0.5], [None, None]]
        x = np.random.default_rng(0).normal(0.0, 2.0, (50, 4)).astype(np.float32)
        names = {"tanh": np.tanh, "log": np.log, "exp": np.exp}
        made = [
            eval(rule, {}, names | {"x": x[:, n], "low": about["bounds"][n][0], "high": about["bounds"][n][1]})
            for n, rule in enumerate(about["action"]["components"])
        ]
        np.testing.assert_allclose(np.stack(made, axis=1), squash(x, sides), rtol=1e-5, atol=1e-5)
        assert about["outputs"]["mean"]["shape"] == ["rows", 4]
        assert about["outputs"]["log_std"]["shape"] == [4]


def test_the_metadata_names_everything(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Gallery((4,), choices=(3, 2)).spec, updates=400)
    with safe_open(chorus.export(run, "safetensors"), framework="np") as archive:
        about = {name: json.loads(value) for name, value in archive.metadata().items()}
        tensors = set(archive.keys())
    assert about == {
        "format": "chorus-policy-1",
        "environment": "gallery",
        "policy": "all",
        "policy_version": 400,
        "agents": ["agent_0", "agent_1", "agent_2"],
        "observation_shape": [4],
        "choices": [3, 2],
        "bounds": [],
        "action": {
            "likeliest": "argmax over each component's logits",
            "sample": "drawn from the softmax of each component's logits",
            "forbidden": "set the logits of forbidden choices to minus infinity first",
        },
        "inputs": {
            "observation": {"dtype": "float32", "shape": ["rows", 4]},
            "hidden": {"dtype": "float32", "shape": ["rows", 5]},
            "cell": {"dtype": "float32", "shape": ["rows", 5]},
        },
        "outputs": {
            "logits": {"dtype": "float32", "shape": ["rows", 5]},
            "next_hidden": {"dtype": "float32", "shape": ["rows", 5]},
            "next_cell": {"dtype": "float32", "shape": ["rows", 5]},
        },
    }
    assert tensors == {
        *(f"{layer}.{part}" for layer in ("encoder", "head") for part in ("weight", "bias")),
        "lstm.weight_ih",
        "lstm.weight_hh",
        "lstm.bias",
    }


def test_one_of_several_policies_is_named(tmp_path: Path) -> None:
    groups = {"mode": "groups", "groups": {"first": "agent_0", "rest": "*"}}
    run = write_run(tmp_path / "run", Gallery((4,), choices=(3,)).spec, sharing=groups)
    with pytest.raises(ConfigError, match="several policies, one a file; name one of first, rest"):
        chorus.export(run)
    with pytest.raises(ConfigError, match="no policy 'second' in this run; it has first, rest"):
        chorus.export(run, policy="second")
    about = open_onnx(chorus.export(run, policy="rest", out=tmp_path / "mine.onnx")).about
    assert about["agents"] == ["agent_1", "agent_2"] and (tmp_path / "mine.onnx").exists()


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Gallery((4,), choices=(3,)).spec)
    with pytest.raises(ConfigError, match="format is 'pickle'; give one of onnx, torchscript, safetensors"):
        chorus.export(run, "pickle")
    with pytest.raises(RunFolderError, match="nowhere"):
        chorus.export(tmp_path / "nowhere")
    spec = Gallery((4,), choices=(3,)).spec
    (part,) = divide(spec, check({}).sharing, check({}).network)
    tensors = tensors_for((part,), settings()) | {"all/attention.weight": np.zeros((2, 2), np.float32)}
    with pytest.raises(ChorusError, match=r"parts that no format here knows: attention\.weight"):
        describe(part, spec, tensors, 0)


def test_a_network_of_other_operators_is_not_embedded(tmp_path: Path) -> None:
    network = {"module": "tests.modules:remembering"}
    run = write_run(tmp_path / "run", Gallery((4,), choices=(5,)).spec, network=network)
    policy = chorus.load(run)
    newer = onnx.load_from_string(policy._tensors["all/module.onnx"].tobytes())
    newer.opset_import[0].version = 21
    bytes_of_it = np.frombuffer(newer.SerializeToString(), np.uint8)
    model = describe(policy.policies[0], policy.environment, policy._tensors | {"all/module.onnx": bytes_of_it}, 0)
    with pytest.raises(ChorusError, match=r"its operators are \{'': 21\}; only ONNX's own of opset 17"):
        write_onnx(model, tmp_path / "policy.onnx")


def test_what_a_network_of_one_s_own_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"module": "tests.modules:remembering"}
    run = write_run(tmp_path / "run", Gallery((4,), choices=(5,)).spec, network=network)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "chorus.formats.own_module", raising=False)
    with pytest.raises(ChorusError, match=r"needs onnx, which is not installed; pip install 'chorus-marl\[onnx\]'"):
        chorus.export(run, "safetensors")
