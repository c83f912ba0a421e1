"""A policy taken home computes what the actors compute: every kind of network, in every format, step after step."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import safe_open

import chorus
from chorus.actor.inference import Inference
from chorus.common.errors import ChorusError, ConfigError, RunFolderError
from chorus.common.policy.sharing import divide
from chorus.common.settings.config import check
from chorus.formats.model import describe
from tests.playground import settings, tensors_for
from tests.run_folders import write_run
from tests.worlds import Gallery

PICTURE, BOUNDS = (7, 6, 3), ((-1.0, 1.0), (0.0, 4.0))
SPACES: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "numbers": ((4,), {"choices": (5,)}),
    "several components": ((4,), {"choices": (3, 2, 4)}),
    "continuous": ((4,), {"bounds": BOUNDS}),
    "pictures": (PICTURE, {"choices": (5,)}),
    "pictures and torques": (PICTURE, {"bounds": BOUNDS}),
    "tables": ((5, 4), {"choices": (2,)}),
}
NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "ids": {"sharing": {"mode": "all_with_id"}},
    "normalised": {"network": {"channels": [], "encoder": 6, "lstm": 5, "normalise_observations": True}},
    "no memory": {"network": {"channels": [3], "encoder": 6, "memory": "none"}},
    "gru": {"network": {"encoder": [6, 7], "memory": "gru", "lstm": 5, "activation": "elu"}},
    "two layers": {"network": {"lstm": 5, "layers": 2, "layer_norm": True, "activation": "silu"}},
    "two grus": {"network": {"memory": "gru", "lstm": 5, "layers": 2, "kernel": [5, 3], "stride": [1, 2]}},
    "forgetful": {"network": {"memory": "none", "lstm": 5, "layers": 2, "layer_norm": True, "activation": "tanh"}},
    "own value": {"loss": {"baseline": "value"}, "value": {"network": "own"}},
}
STEPS, ROWS = 6, 9
MEMORY = ("hidden", "cell", "hidden1", "cell1")


def run_onnx(path: Path) -> Any:
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_outputs()]
    about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    declared = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
    told = {name: value["shape"] for name, value in (about["inputs"] | about["outputs"]).items()}
    assert declared == told, "the metadata's names and shapes are the graph's"
    return about, lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def run_torch(path: Path) -> Any:
    files = {"chorus.json": ""}
    module = torch.jit.load(path, _extra_files=files)  # type: ignore[no-untyped-call]
    about = json.loads(files["chorus.json"])

    def step(inputs: dict[str, Any]) -> dict[str, Any]:
        with torch.no_grad():
            said = module(*(torch.from_numpy(inputs[name]) for name in about["inputs"]))
        return dict(zip(about["outputs"], (value.numpy() for value in said), strict=True))

    return about, step


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("space", SPACES)
def test_every_kind_of_policy_computes_what_the_actor_computes(space: str, network: str, tmp_path: Path) -> None:
    shape, done = SPACES[space]
    spec = Gallery(shape, **done).spec
    run = write_run(tmp_path / "run", spec, **NETWORKS[network])
    policy = chorus.load(run)
    (part,) = policy.policies
    actor = Inference(policy._tensors, part, ROWS)
    members = np.arange(ROWS) % len(part.agents)
    draws = np.random.default_rng(0)
    files = [run_onnx(chorus.export(run, "onnx")), run_torch(chorus.export(run, "torchscript"))]
    states = [
        {
            name: np.zeros((ROWS, value["shape"][1]), np.float32)
            for name, value in about["inputs"].items()
            if name in MEMORY
        }
        for about, _ in files
    ]
    for _ in range(STEPS):
        seen = draws.normal(2.0, 3.0, (ROWS, part.agent.observation_size)).astype(np.float32)
        ids = np.eye(len(part.agents), dtype=np.float32)[members]
        expected = actor.step(np.concatenate([seen, ids], axis=1) if part.identified else seen).T
        for (about, step), state in zip(files, states, strict=True):
            given = state | {"observation": seen}
            if part.identified:
                given["agent"] = members.astype(np.int64)
            said = step(given)
            assert list(said) == list(about["outputs"])
            result = said["logits"] if part.agent.choices else said["mean"]
            np.testing.assert_allclose(result, expected, atol=1e-4, rtol=1e-5)
            if part.agent.bounds:
                np.testing.assert_array_equal(said["log_std"], actor.log_std)
                assert about["bounds"] == [list(pair) for pair in BOUNDS]
            state.update({name.removeprefix("next_"): said[name] for name in said if name.startswith("next_")})


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
    about, _ = run_onnx(chorus.export(run, policy="rest", out=tmp_path / "mine.onnx"))
    assert about["agents"] == ["agent_1", "agent_2"] and (tmp_path / "mine.onnx").exists()


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Gallery((4,), choices=(3,)).spec)
    with pytest.raises(ConfigError, match="format is 'pickle'; give one of onnx, torchscript, safetensors"):
        chorus.export(run, "pickle")
    with pytest.raises(RunFolderError, match="nowhere: there is no config.yaml in it; is it a run folder?"):
        chorus.export(tmp_path / "nowhere")
    spec = Gallery((4,), choices=(3,)).spec
    (part,) = divide(spec, check({}).sharing, check({}).network)
    tensors = tensors_for((part,), settings()) | {"all/attention.weight": np.zeros((2, 2), np.float32)}
    with pytest.raises(ChorusError, match=r"parts that no format here knows: attention\.weight"):
        describe(part, spec, tensors, 0)
