"""Whatever network the settings name, what is exported says what the actors say, at every step."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor.inference import Inference
from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.policy.weights import Tensors
from chorus.formats import onnx, torchscript
from chorus.formats.model import describe
from tests.chorus.formats.exported import open_onnx, open_torchscript
from tests.networks import Case, cases
from tests.playground import tensors_for

TIME = 5


def weights(case: Case) -> Tensors:
    """Fresh weights; statistics as if something had been seen."""
    tensors = tensors_for([case.spec], case.config, scale=1.5)
    if "all/observation.mean" in tensors:
        size = case.spec.agent.observation_size
        tensors["all/observation.mean"] = np.linspace(-1.0, 2.0, size).astype(np.float32)
        tensors["all/observation.scale"] = np.linspace(0.3, 3.0, size).astype(np.float32)
    return tensors


@pytest.mark.filterwarnings("ignore:`torch.jit")
@settings(max_examples=120, deadline=None)
@given(case=cases(), rows=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_every_network_computes_what_the_actor_computes(case: Case, rows: int, seed: int) -> None:
    spec, tensors = case.spec, weights(case)
    # Layers that happen to say nearly the same in all units are blown up by the normalisation, their rounding too.
    near = 1e-3 if spec.network.layer_norm else 1e-5
    draws = np.random.Generator(np.random.Philox(key=seed))
    environment = EnvironmentSpec("drawn", "drawn 1", (spec.agent,) * len(spec.agents))
    model = describe(spec, environment, tensors, 0)
    with TemporaryDirectory() as folder:
        onnx.write(model, Path(folder) / "policy.onnx")
        torchscript.write(model, Path(folder) / "policy.pt")
        files = [open_onnx(Path(folder) / "policy.onnx"), open_torchscript(Path(folder) / "policy.pt")]
    actor = Inference(tensors, spec, rows)
    members = draws.integers(len(spec.agents), size=rows)
    for file in files:
        file.begin(rows)
        assert list(file.state) == list(actor.memories())
    for _ in range(TIME):
        seen = draws.normal(size=(rows, *spec.agent.observation_shape)).astype(np.float32)
        if len(spec.agent.observation_shape) == 2:  # some entities are not there
            seen[draws.random(seen.shape[:2]) < 0.3] = 0.0
        seen = seen.reshape(rows, -1)
        ids = np.eye(len(spec.agents), dtype=np.float32)[members]
        expected = actor.step(np.concatenate([seen, ids], axis=1) if spec.identified else seen).T
        for file in files:
            np.testing.assert_allclose(file.step(seen, members), expected, rtol=1e-5, atol=near)
            for name, state in actor.memories().items():
                np.testing.assert_allclose(file.state[name], state, rtol=1e-5, atol=near)
