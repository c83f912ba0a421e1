"""Whatever network the settings name: NumPy, torch and torch's own modules compute the same of it at every step."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor.inference import Inference
from chorus.common.environments.interface import FloatArray
from chorus.common.policy.weights import Tensors
from chorus.learner.gradient.lives import pack
from chorus.learner.gradient.network import Network
from tests.networks import Case, Textbook, cases, presence
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


def normalised(seen: FloatArray, tensors: Tensors) -> FloatArray:
    """What the learner gives its network of what an actor is given."""
    seen = seen.copy()
    if "all/observation.mean" in tensors:
        size = len(tensors["all/observation.mean"])
        seen[..., :size] = (seen[..., :size] - tensors["all/observation.mean"]) * tensors["all/observation.scale"]
    return seen


@settings(max_examples=250, deadline=None)
@given(case=cases(), rows=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_numpy_torch_and_the_textbook_say_the_same(case: Case, rows: int, seed: int) -> None:
    spec, tensors = case.spec, weights(case)
    # Layers that happen to say nearly the same in all units are blown up by the normalisation, their rounding too.
    near = 1e-3 if spec.network.layer_norm else 2e-5
    draws = np.random.Generator(np.random.Philox(key=seed))
    present, born = presence(draws, TIME, rows)
    inputs = draws.normal(size=(TIME, rows, spec.input_size)).astype(np.float32)
    if spec.network.attention:  # some entities are not there
        entities = inputs[:, :, : spec.agent.observation_size].reshape(TIME, rows, *spec.agent.observation_shape)
        entities[draws.random(entities.shape[:3]) < 0.3] = 0.0
        inputs[:, :, : spec.agent.observation_size] = entities.reshape(TIME, rows, -1)

    inference = Inference(tensors, spec, rows)
    acted = np.zeros((TIME, rows, spec.output_size), np.float32)
    for step in range(TIME):
        inference.forget(born[step])
        here = np.flatnonzero(present[step])
        if len(here):
            acted[step, here] = inference.step(inputs[step, here], None if len(here) == rows else here).T

    ended = np.concatenate([born[1:], np.zeros((1, rows), np.bool_)])
    lives = pack(present, ended)
    steps = np.flatnonzero(np.ones(present.size)) if lives.steps is None else lives.steps
    seen = torch.from_numpy(normalised(inputs, tensors).reshape(-1, spec.input_size))
    network = Network.load(spec, case.config, tensors, torch.device("cpu"))
    with torch.no_grad():
        learned = network.forward(seen[steps], lives).policy.numpy()
        book = Textbook(network.parameters, spec)
        for row in range(rows):
            for life in np.split(np.arange(TIME), np.flatnonzero(born[1:, row]) + 1):
                places = life[present[life, row]] * rows + row
                if len(places):
                    slow = book.outputs(seen[places]).numpy()
                    np.testing.assert_allclose(acted.reshape(-1, spec.output_size)[places], slow, rtol=1e-5, atol=near)
    np.testing.assert_allclose(acted.reshape(-1, spec.output_size)[steps], learned, rtol=1e-5, atol=near)


@settings(max_examples=30, deadline=None)
@given(case=cases().filter(lambda case: case.spec.network.attention > 0), seed=st.integers(0, 2**32))
def test_the_order_of_entities_is_no_matter(case: Case, seed: int) -> None:
    spec, tensors = case.spec, weights(case)
    draws = np.random.Generator(np.random.Philox(key=seed))
    entities = draws.normal(size=(3, *spec.agent.observation_shape)).astype(np.float32)
    beside = np.ones((3, spec.input_size - spec.agent.observation_size), np.float32)
    shuffled = entities[:, draws.permutation(spec.agent.observation_shape[0])]
    first, second = (
        Inference(tensors, spec, 3).step(np.concatenate([told.reshape(3, -1), beside], axis=1)).copy()
        for told in (entities, shuffled)
    )
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
