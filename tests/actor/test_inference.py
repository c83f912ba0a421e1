"""The actor's NumPy network computes what the learner's torch network and a textbook LSTM compute, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chorus.actor.inference import Inference
from chorus.common.environments.interface import AgentSpec
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.learner.gradient.lives import pack
from chorus.learner.gradient.network import Network
from tests import reference, reference_network
from tests.playground import settings, tensors_for

AGENT = AgentSpec("agent_0", (4,), (3, 2))

KINDS: dict[str, tuple[AgentSpec, dict[str, Any], bool]] = {
    "plain": (AGENT, {}, False),
    "wide": (AGENT, {"encoder": 64, "lstm": 48}, False),
    "one unit": (AGENT, {"encoder": 1, "lstm": 1}, False),
    "with ids": (AGENT, {}, True),
    "normalised": (AGENT, {"normalise_observations": True}, True),
    "without memory": (AGENT, {"memory": "none"}, False),
    "continuous": (AgentSpec("agent_0", (4,), bounds=((-1.0, 1.0), (0.0, 5.0))), {}, False),
    "pictures": (AgentSpec("agent_0", (7, 6, 2), (4,)), {"channels": (3, 5)}, False),
    "pictures with ids": (AgentSpec("agent_0", (5, 5, 3), (4,)), {"channels": (4,)}, True),
}


def weights(spec: PolicySpec, config: Config) -> Tensors:
    """Fresh weights; statistics as if something had been seen."""
    tensors = tensors_for([spec], config)
    if "all/observation.mean" in tensors:
        size = spec.agent.observation_size
        tensors["all/observation.mean"] = np.linspace(-1.0, 2.0, size).astype(np.float32)
        tensors["all/observation.scale"] = np.linspace(0.3, 3.0, size).astype(np.float32)
    return tensors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 7, 96])
def test_numpy_and_torch_say_the_same_at_every_step(kind: str, rows: int) -> None:
    agent, network, identified = KINDS[kind]
    config = settings(network={"encoder": 9, "lstm": 7} | network)
    spec = PolicySpec("all", (0, 1, 2), agent, identified, config.network)
    tensors = weights(spec, config)
    draws = np.random.Generator(np.random.Philox(key=rows))
    time = 6
    present = draws.random((time, rows)) < 0.8
    present[0, 0] = True
    born = draws.random((time, rows)) < 0.3
    inputs = draws.normal(size=(time, rows, spec.input_size)).astype(np.float32)

    inference = Inference(tensors, spec, rows)
    outputs = np.zeros((time, rows, spec.output_size), np.float32)
    for step in range(time):
        inference.forget(born[step])
        here = np.flatnonzero(present[step])
        if len(here):
            whole = len(here) == rows
            found = inference.step(inputs[step, here], None if whole else here)
            outputs[step, here] = found.T

    ended = np.concatenate([born[1:], np.zeros((1, rows), np.bool_)])  # a birth is the end of what was before
    lives = pack(present, ended)
    steps = np.flatnonzero(np.ones(present.size)) if lives.steps is None else lives.steps
    seen = inputs.reshape(-1, spec.input_size)[steps]
    if "all/observation.mean" in tensors:
        size = spec.agent.observation_size
        seen[:, :size] = (seen[:, :size] - tensors["all/observation.mean"]) * tensors["all/observation.scale"]
    torch_network = Network.load(spec, config, tensors, torch.device("cpu"))
    with torch.no_grad():
        learned = torch_network.forward(torch.from_numpy(seen), lives).policy.numpy()
    np.testing.assert_allclose(outputs.reshape(-1, spec.output_size)[steps], learned, rtol=1e-5, atol=2e-5)


def test_the_memory_is_that_of_the_textbook() -> None:
    config = settings()
    spec = PolicySpec("all", (0,), AGENT, network=config.network)
    tensors = weights(spec, config)
    draws = np.random.Generator(np.random.Philox(key=1))
    inputs = draws.normal(size=(20, 5, 4)).astype(np.float32)
    inference = Inference(tensors, spec, 5)
    found = np.stack([inference.step(inputs[step]).T.copy() for step in range(20)])
    own = reference.parameters_of(tensors, spec, config)
    for row in range(5):
        slow = reference_network.logits_of(own, [torch.from_numpy(x.astype(np.float64)) for x in inputs[:, row]])
        np.testing.assert_allclose(found[:, row], torch.stack(slow).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_rows_that_are_left_out_keep_their_memory_to_the_bit() -> None:
    config = settings()
    spec = PolicySpec("all", (0,), AGENT, network=config.network)
    inference = Inference(weights(spec, config), spec, 4)
    seen = np.ones((4, 4), np.float32)
    inference.step(seen)
    lone = Inference(weights(spec, config), spec, 4)
    lone.step(seen)
    for _ in range(3):
        inference.step(seen[:2], np.array([1, 3]))
    after, before = inference.step(seen[:2], np.array([0, 2])).copy(), lone.step(seen[:2], np.array([0, 2])).copy()
    np.testing.assert_array_equal(after, before)


def test_the_actors_observations_are_left_as_they_are() -> None:
    config = settings(network={"normalise_observations": True})
    spec = PolicySpec("all", (0,), AGENT, network=config.network)
    inference = Inference(weights(spec, config), spec, 3)
    seen = np.ones((3, 4), np.float32)
    inference.step(seen)
    np.testing.assert_array_equal(seen, np.ones((3, 4)))
