"""One policy as a function with its memory passed in and out: what goes in, what comes out, and the tensors between.

    (observation [, agent] [, hidden, cell]) -> (logits, or mean and log_std [, next_hidden, next_cell])

Normalisation, convolutions, attention and the one-hot agent id are inside. What is computed is `network.py`'s.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np

from chorus.common.environments.interface import BYTE, EnvironmentSpec
from chorus.common.errors import ChorusError
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import STRUCTURE, numbered
from chorus.common.policy.weights import Tensors
from chorus.common.settings.sections import NetworkConfig
from chorus.formats.action import action, bounds
from chorus.formats.memory import STATES

FORMAT = "chorus-policy-1"
ROWS = "rows"
"""What shapes call their first axis: any number of agents, of one team or of many."""
LEARNING_ONLY = ("advantage", "credit", "reward", "observation")
"""Tensors of a version that acting does not need; those under `value.` beside them."""
KNOWN = re.compile(
    r"observation\.(mean|scale)|(convolution|encoder|memory|head)\d*\.(weight|bias)"
    r"|entity\.(weight|bias)|attention\.(query|key|value|output)\.(weight|bias)"
    r"|(lstm|gru)\d*\.(weight_ih|weight_hh|bias|bias_hh)|((encoder|memory|lstm|gru)\d*|entity|attention)\.norm\.(weight|bias)"
    r"|log_std|module\..+"
)
"""The tensors that `forward` has a use for."""


@dataclass(frozen=True)
class Value:
    """An input or output: its name, dtype and shape. The first axis is `rows`, unless the shape is without it."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Model:
    """One policy to be written to a file.

    Attributes:
        tensors: float32, by name without the policy's; a network of the user's own as bytes beside them.
        raw: observations are bytes, which the network sees as 0 … 1.
        observation_shape: of one observation before it is flattened.
        network: how the trunk is built.
        agents: how many agents its one-hot id tells apart; 0 without one.
        inputs: in order.
        outputs: in order.
        about: what stands in the file's metadata, each value JSON.
    """

    tensors: Tensors
    raw: bool
    observation_shape: tuple[int, ...]
    network: NetworkConfig
    agents: int
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    about: dict[str, str]


def describe(spec: PolicySpec, environment: EnvironmentSpec, tensors: Tensors, version: int) -> Model:
    """The policy `spec` of an environment, with the weights of a version.

    Raises:
        ChorusError: the network has parts that cannot be exported.
    """
    own = _own(spec, tensors)
    unknown = sorted(name for name in own if not KNOWN.fullmatch(name))
    if unknown:
        raise ChorusError(
            f"policy {spec.name!r} cannot be exported: its network has parts that no format here knows:"
            f" {', '.join(unknown)}"
        )
    agent = spec.agent
    raw = all(environment.agents[number].raw for number in spec.agents)
    inputs = [Value("observation", "uint8" if raw else "float32", (ROWS, agent.observation_size))]
    if spec.identified:
        inputs.append(Value("agent", "int64", (ROWS,)))
    outputs = [Value("logits" if agent.choices else "mean", "float32", (ROWS, spec.output_size))]
    if agent.bounds:
        outputs.append(Value("log_std", "float32", (len(agent.bounds),)))
    states = _states(spec, own)
    inputs += [Value(name, "float32", (ROWS, width)) for name, width in states.items()]
    outputs += [Value(f"next_{name}", "float32", (ROWS, width)) for name, width in states.items()]
    about = {
        "format": FORMAT,
        "environment": environment.name,
        "policy": spec.name,
        "policy_version": version,
        "agents": [environment.agents[number].name for number in spec.agents],
        "observation_shape": agent.observation_shape,
        "choices": agent.choices,
        "bounds": bounds(agent),
        "action": action(agent),
        "inputs": {value.name: {"dtype": value.dtype, "shape": value.shape} for value in inputs},
        "outputs": {value.name: {"dtype": value.dtype, "shape": value.shape} for value in outputs},
    }
    return Model(
        own,
        raw,
        agent.observation_shape,
        spec.network,
        len(spec.agents) if spec.identified else 0,
        tuple(inputs),
        tuple(outputs),
        {name: json.dumps(value) for name, value in about.items()},
    )


def weights(model: Model) -> Tensors:
    """The tensors as `forward` takes them: kernels `[filter, channel, side, side]`, agent ids as a unit matrix, and
    what bytes are multiplied by."""
    taken = {name: value for name, value in model.tensors.items() if name != STRUCTURE}
    if model.raw:
        taken["byte"] = np.array([BYTE], np.float32)
    for number, (side, _) in enumerate(model.network.convolutions):
        name = f"convolution{number}.weight"
        if name in taken:
            taken[name] = np.ascontiguousarray(
                taken[name].reshape(len(taken[name]), side, side, -1).transpose(0, 3, 1, 2)
            )
    if model.agents:
        taken["identity"] = np.eye(model.agents, dtype=np.float32)
    return taken


def _states(spec: PolicySpec, own: Tensors) -> dict[str, int]:
    """The width of what is carried from step to step, by name, in order."""
    network = spec.network
    if not network.module:
        names = [numbered(part, number) for number in range(network.layers) for part in STATES[network.memory]]
        return dict.fromkeys(names, network.memory_width)
    try:
        from chorus.formats.own_module import state_width
    except ModuleNotFoundError as fault:
        raise ChorusError(
            f"policy {spec.name!r} is a network of your own, and its export needs {fault.name}, which is not"
            " installed; pip install 'chorus-marl[onnx]'"
        ) from fault
    width = state_width(own[STRUCTURE].tobytes())
    return {"state": width} if width else {}


def _own(spec: PolicySpec, tensors: Tensors) -> Tensors:
    """The tensors of one policy that acting needs, without its name."""
    prefix = f"{spec.name}/"
    own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return {
        name: np.ascontiguousarray(value, np.uint8 if name == STRUCTURE else np.float32)
        for name, value in own.items()
        if name not in LEARNING_ONLY and not name.startswith("value.")
    }
