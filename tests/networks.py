"""Every network that the settings can name: drawn at random, and put together once more from torch's own modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from chorus.common.environments.interface import AgentSpec, BoolArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.settings.config import Config
from tests.playground import settings

ACTIVATIONS: dict[str, nn.Module] = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "elu": nn.ELU(), "silu": nn.SiLU()}


@dataclass(frozen=True)
class Case:
    """A network, and what it is of."""

    spec: PolicySpec
    config: Config


def cases() -> st.SearchStrategy[Case]:
    """Every option and every combination of options, in small."""
    return st.builds(
        _case,
        shape=st.sampled_from([(4,), (4,), (7, 6, 2), (5, 3)]),
        identified=st.booleans(),
        bounds=st.sampled_from([(), ((-1.0, 1.0), (0.0, 5.0))]),
        sections=st.fixed_dictionaries(
            {
                "encoder": st.one_of(st.integers(1, 9), st.lists(st.integers(1, 9), max_size=3)),
                "memory": st.sampled_from(["lstm", "gru", "none"]),
                "lstm": st.integers(1, 7),
                "layers": st.integers(1, 3),
                "layer_norm": st.booleans(),
                "activation": st.sampled_from(list(ACTIVATIONS)),
                "initialisation": st.sampled_from(["uniform", "orthogonal"]),
                "normalise_observations": st.booleans(),
                "channels": st.sampled_from([[], [3], [3, 5]]),
                "attention": st.sampled_from([0, 4, 8]),
                "heads": st.sampled_from([1, 2, 4]),
            }
        ),
        kernels=st.lists(st.integers(1, 4), min_size=2, max_size=2),
        strides=st.lists(st.integers(1, 3), min_size=2, max_size=2),
        value=st.sampled_from(["none", "head", "own"]),
    )


def _case(
    shape: tuple[int, ...],
    identified: bool,
    bounds: tuple[tuple[float, float], ...],
    sections: dict[str, Any],
    kernels: list[int],
    strides: list[int],
    value: str,
) -> Case:
    count = len(sections["channels"])
    if len(shape) != 2:
        sections = sections | {"attention": 0}
    baseline = {"loss": {"baseline": "none" if value == "none" else "value"}}
    own = {} if value == "none" else {"value": {"network": value}}
    config = settings(network=sections | {"kernel": kernels[:count], "stride": strides[:count]}, **baseline, **own)
    agent = AgentSpec("agent_0", shape, () if bounds else (3, 2), bounds)
    return Case(PolicySpec("all", (0, 1, 2), agent, identified, config.network), config)


def presence(draws: np.random.Generator, time: int, rows: int) -> tuple[BoolArray, BoolArray]:
    """Bool `[time, row]` twice: who is there, and before which steps a life begins."""
    present = draws.random((time, rows)) < 0.8
    present[0, 0] = True
    return present, draws.random((time, rows)) < 0.3


class Textbook:
    """The same network out of `torch.nn`'s modules, one life at a time and in float64."""

    def __init__(self, own: Mapping[str, Tensor], spec: PolicySpec) -> None:
        """By the policy's tensors, named as in the layout."""
        self._own = {name: value.detach().double() for name, value in own.items()}
        self._spec, self._network = spec, spec.network
        self._activation = ACTIVATIONS[spec.network.activation]

    def outputs(self, inputs: Tensor) -> Tensor:
        """The head's `[step, output]` over one life's inputs `[step, input]`."""
        network, shape = self._network, self._spec.agent.observation_shape
        size = self._spec.agent.observation_size
        rows, beside = inputs.double()[:, :size], inputs.double()[:, size:]
        if len(shape) == 3 and network.channels:
            rows = self._pictures(rows.view(-1, *shape))
        elif len(shape) == 2 and network.attention:
            rows = torch.stack([self._set(entities) for entities in rows.view(-1, *shape)])
        rows = torch.cat([rows, beside], dim=1)
        for number in range(len(network.encoder_widths)):
            rows = self._layer("encoder" + str(number or ""), rows)
        for number in range(network.layers):
            rows = self._memory(network.memory, str(number or ""), rows)
        return self._linear("head", rows)

    def _linear(self, name: str, rows: Tensor) -> Tensor:
        weight = self._own[f"{name}.weight"]
        module = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        module.load_state_dict({"weight": weight, "bias": self._own[f"{name}.bias"]})
        found: Tensor = module(rows)
        return found

    def _norm(self, name: str, rows: Tensor) -> Tensor:
        if not self._network.layer_norm:
            return rows
        module = nn.LayerNorm(rows.shape[-1], dtype=torch.float64)
        module.load_state_dict({part: self._own[f"{name}.norm.{part}"] for part in ("weight", "bias")})
        found: Tensor = module(rows)
        return found

    def _layer(self, name: str, rows: Tensor) -> Tensor:
        found: Tensor = self._activation(self._norm(name, self._linear(name, rows)))
        return found

    def _memory(self, kind: str, number: str, rows: Tensor) -> Tensor:
        if kind == "none":
            return self._layer(f"memory{number}", rows)
        name, width = f"{kind}{number}", self._network.lstm
        module = (nn.LSTM if kind == "lstm" else nn.GRU)(rows.shape[1], width, dtype=torch.float64)
        second = torch.zeros_like(self._own[f"{name}.bias"])
        if kind == "gru":
            second[2 * width :] = self._own[f"{name}.bias_hh"]
        module.load_state_dict(
            {
                "weight_ih_l0": self._own[f"{name}.weight_ih"],
                "weight_hh_l0": self._own[f"{name}.weight_hh"],
                "bias_ih_l0": self._own[f"{name}.bias"],
                "bias_hh_l0": second,
            }
        )
        return self._norm(name, module(rows[:, None])[0][:, 0])

    def _pictures(self, pictures: Tensor) -> Tensor:
        seen = pictures.permute(0, 3, 1, 2)
        for number, (kernel, stride) in enumerate(self._network.convolutions):
            weight = self._own[f"convolution{number}.weight"]
            module = nn.Conv2d(seen.shape[1], len(weight), kernel, stride, kernel // 2, dtype=torch.float64)
            kernels = weight.view(len(weight), kernel, kernel, -1).permute(0, 3, 1, 2)
            module.load_state_dict({"weight": kernels, "bias": self._own[f"convolution{number}.bias"]})
            seen = self._activation(module(seen))
        return seen.permute(0, 2, 3, 1).flatten(1)

    def _set(self, entities: Tensor) -> Tensor:
        """One set `[entity, feature]`, those left out that are rows of zeros."""
        there = entities[(entities != 0).any(dim=1)]
        width = self._network.attention
        if not len(there):
            return torch.zeros(width, dtype=torch.float64)
        told = self._layer("entity", there)
        module = nn.MultiheadAttention(width, self._network.heads, dtype=torch.float64)
        parts = ("query", "key", "value")
        module.load_state_dict(
            {
                "in_proj_weight": torch.cat([self._own[f"attention.{part}.weight"] for part in parts]),
                "in_proj_bias": torch.cat([self._own[f"attention.{part}.bias"] for part in parts]),
                "out_proj.weight": self._own["attention.output.weight"],
                "out_proj.bias": self._own["attention.output.bias"],
            }
        )
        return self._norm("attention", told + module(told, told, told, need_weights=False)[0]).mean(dim=0)
