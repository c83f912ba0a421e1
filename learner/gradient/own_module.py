"""A network of one's own: a `torch.nn.Module` in the trunk's place, differentiated here and run by actors from ONNX.

`network.module: package.module:factory` names a function

    factory(shape, beside, outputs) -> torch.nn.Module

of the shape of an observation before it is flattened, how many numbers follow it (a one-hot agent id), and how many the
heads read (`network.lstm`). The module has an attribute `state_size` and a forward pass over rows that know nothing of
one another,

    (inputs [row, input], state [row, state_size]) -> (outputs [row, outputs], state [row, state_size])

which is shown one step of every row at a time; an agent's first state is zero. It has parameters but no buffers, and
draws nothing: it is always in its evaluation mode. Chorus puts the heads on it. How its parameters begin is its own
affair; torch's generator is seeded before the factory is called.

Actors import none of it. Each version of the policy carries the module's structure as an ONNX file without weights,
exported once, and the weights beside it like all others (`actor/own_module.py`).
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import Seen
from chorus.common.settings.config import Config
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient.lives import Lives

OPSET = 17
"""The version of ONNX's operators that modules are written in."""
SAMPLE_ROWS = 3

_local = threading.local()


def shapes(seen: Seen, network: NetworkConfig) -> dict[str, tuple[int, ...]] | None:
    """The module's parameters by name, in its own order; None if the run has no module."""
    if not network.module:
        return None
    return {name: tuple(value.shape) for name, value in _module(seen, network).named_parameters()}


def begin(seen: Seen, network: NetworkConfig, seed: int) -> dict[str, NDArray[np.float32]]:
    """The parameters of a fresh module, float32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _build(seen, network)
    return {name: value.detach().numpy().astype(np.float32) for name, value in module.named_parameters()}


def outputs(
    parameters: Mapping[str, Tensor], seen: Seen, network: NetworkConfig, inputs: Tensor, lives: Lives
) -> Tensor:
    """What the heads read, `[step, output]`, of inputs `[step, input]` in the packed order of `lives`."""
    module = _module(seen, network)
    own = dict(parameters)
    size = int(module.state_size)  # type: ignore[arg-type]
    if size == 0:  # it remembers nothing: all steps at once
        found: Tensor = torch.func.functional_call(module, own, (inputs, inputs.new_zeros(len(inputs), 0)))[0]
        return found
    state = inputs.new_zeros(int(lives.sizes[0]), size)
    parts = []
    for rows in torch.split(inputs, lives.sizes.tolist()):
        part, state = torch.func.functional_call(module, own, (rows, state[: len(rows)]))
        parts.append(part)
    return torch.cat(parts)


def structure(seen: Seen, network: NetworkConfig) -> NDArray[np.uint8]:
    """The module as an ONNX file without weights, which are inputs of the graph, as bytes in an array."""
    return np.frombuffer(_exported(seen, network), np.uint8)


def name_module(config: Config, policies: Sequence[PolicySpec]) -> Config:
    """The configuration with the digest of what actors will run, so that a run that goes on goes on with the same."""
    if not config.network.module:
        return config
    hashed = hashlib.sha256(b"".join(_exported(spec.seen, spec.network) for spec in policies)).hexdigest()
    network = msgspec.structs.replace(config.network, module_sha256=hashed)
    return msgspec.structs.replace(config, network=network)


@cache
def _exported(seen: Seen, network: NetworkConfig) -> bytes:
    module = _build(seen, network)
    rows = torch.zeros(SAMPLE_ROWS, seen.size), torch.zeros(SAMPLE_ROWS, int(module.state_size))  # type: ignore[arg-type]
    names = ["inputs", "state", "outputs", "next"]
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how old this exporter is; the newer one writes weights into the graph
            torch.onnx.export(
                module,
                rows,
                file,  # type: ignore[arg-type]  # this exporter takes files too
                dynamo=False,
                export_params=False,
                keep_initializers_as_inputs=True,
                do_constant_folding=False,
                opset_version=OPSET,
                input_names=names[:2],
                output_names=names[2:],
                dynamic_axes={name: {0: "row"} for name in names},
            )
    except torch.onnx.OnnxExporterError as fault:
        raise ConfigError(
            f"network.module {network.module}: it cannot be written as ONNX: {fault}; the extra `onnx` must be"
            f" installed, and its operators must be among ONNX's {OPSET}"
        ) from fault
    return file.getvalue()


def _module(seen: Seen, network: NetworkConfig) -> nn.Module:
    """This thread's module: while it is called its parameters are exchanged, which no other thread may see."""
    kept: dict[tuple[Seen, NetworkConfig], nn.Module] = _local.__dict__.setdefault("modules", {})
    if (seen, network) not in kept:
        with torch.random.fork_rng(devices=[]):
            kept[seen, network] = _build(seen, network)
    return kept[seen, network]


def _build(seen: Seen, network: NetworkConfig) -> nn.Module:
    """Call the factory and see that what it made keeps the rules."""
    complaint = f"network.module {network.module}"
    made = _factory(network.module)(seen.shape, seen.beside, network.memory_width)
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{complaint}: it made a {type(made).__name__}, not a torch.nn.Module")
    size = getattr(made, "state_size", None)
    if not isinstance(size, int) or size < 0:
        raise ConfigError(f"{complaint}: its attribute state_size is {size!r}; give the width of its state, 0 for none")
    if buffers := [name for name, _ in made.named_buffers()]:
        raise ConfigError(f"{complaint}: it has buffers ({buffers[0]}), which do not travel; make them parameters")
    made.eval()
    with torch.no_grad():
        found = made(torch.zeros(SAMPLE_ROWS, seen.size), torch.zeros(SAMPLE_ROWS, size))
    wanted = [(SAMPLE_ROWS, network.memory_width), (SAMPLE_ROWS, size)]
    if [tuple(part.shape) for part in found] != wanted:
        raise ConfigError(
            f"{complaint}: of {SAMPLE_ROWS} rows it made {[tuple(part.shape) for part in found]}; expected {wanted},"
            " outputs (network.lstm wide) and state"
        )
    return made


def _factory(address: str) -> Any:
    """The function at `package.module:function`, installed or in the working directory."""
    package, _, name = address.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError, ValueError) as fault:
        raise ConfigError(
            f"network.module {address}: {fault}; write package.module:factory, installed or in {here}"
        ) from fault
