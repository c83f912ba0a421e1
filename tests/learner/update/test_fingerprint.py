"""The learner's part of a fingerprint: all that a learner of the run computes is in it, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.policy.sharing import divide
from chorus.common.process.fingerprint import Fingerprint, first_difference
from chorus.common.settings.config import resolve
from chorus.learner.gradient import gru, layer, products, recurrence
from chorus.learner.gradient.lstm_loops import PlainLoops
from chorus.learner.update import fingerprint as learner
from chorus.learner.update import optimiser
from tests.playground import settings

SHAPES: dict[str, tuple[int, ...]] = {"numbers": (6,), "picture": (5, 5, 2), "set": (4, 3)}


def of_run(seen: str = "numbers", bounds: tuple[tuple[float, float], ...] = (), **sections: Any) -> Fingerprint:
    """What a learner of a run computes here."""
    agents = tuple(AgentSpec(name, SHAPES[seen], () if bounds else (5,), bounds) for name in ("a", "b"))
    spec = EnvironmentSpec("some", "some 1", agents, 5)
    config = resolve(settings(**sections), spec)
    return learner.fingerprint(config, divide(spec, config.sharing, config.network))


def a_bit_off(exact: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function, one bit off."""

    def off(*inputs: Any) -> Tensor:
        found = exact(*inputs)
        return torch.nextafter(found, torch.full_like(found, 9.0))

    return off


@pytest.mark.parametrize("seen", list(SHAPES))
@pytest.mark.parametrize("memory", ["lstm", "gru", "none"])
@pytest.mark.parametrize("bounds", [(), ((-1.0, 1.0),)])
def test_every_network_has_one_and_it_is_always_the_same(
    seen: str, memory: str, bounds: tuple[tuple[float, float], ...]
) -> None:
    sections = {
        "network": {"memory": memory, "channels": [3], "attention": 4 if seen == "set" else 0},
        "loss": {"baseline": "value"},
        "value": {"network": "own", "sees": "team"},
        "sharing": {"mode": "none"},
    }
    found = of_run(seen, bounds, **sections)
    assert found == of_run(seen, bounds, **sections)
    names = {"even lives", "uneven lives", "products", "step", "functions"}
    assert {f"learner {name}" for name in names} < found.keys()


def test_a_learner_that_multiplies_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = of_run()
    for module in (products, recurrence, gru, learner):
        monkeypatch.setattr(module, "multiply", a_bit_off(products.multiply))
    said = first_difference(run, of_run())
    assert "this run's learner multiplies otherwise" in said
    assert "another gradient over lives of one length" in said and "of unlike lengths" in said
    assert said.endswith(f"begun on {run['learner begun on']}, and this is {run['learner begun on']}")


def test_the_recurrence_is_in_it_for_lives_of_one_length_and_of_unlike_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    run = of_run()
    monkeypatch.setattr("chorus.learner.gradient.trunk.packed_lstm", a_bit_off(recurrence.packed_lstm))
    said = first_difference(run, of_run())
    assert "lives of unlike lengths" in said and "lives of one length" in said


def test_whether_its_loops_are_compiled_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a run that was begun with a compiler goes on without one."""
    run = of_run()
    monkeypatch.setattr(recurrence, "loops_for", lambda inputs, width: PlainLoops())
    assert of_run() == run


def test_roots_are_in_it_as_functions_and_as_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run = of_run()
    monkeypatch.setattr(optimiser, "root", a_bit_off(optimiser.root))
    said = first_difference(run, of_run())
    assert "exponentials, logarithms and roots come out otherwise" in said and "optimiser steps otherwise" in said
    assert "multiplies" not in said


def test_activations_of_the_run_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = of_run(network={"activation": "elu"})
    monkeypatch.setitem(layer.ACTIVATIONS, "elu", a_bit_off(layer.ACTIVATIONS["elu"]))
    assert "another gradient" in first_difference(run, of_run(network={"activation": "elu"}))
