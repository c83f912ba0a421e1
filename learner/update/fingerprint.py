"""The learner's part of a run's fingerprint: how a learner of this very run comes to its gradients and steps here.

The run's own networks, freshly drawn, are differentiated over a few steps of made-up lives by the code that training
itself uses, so that whatever a learner computes is in one of the digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from chorus.common.policy.sharing import PolicySpec
from chorus.common.process import processor
from chorus.common.process.fingerprint import LEARNER, TOLD, Fingerprint
from chorus.common.settings.config import Config
from chorus.common.tasks.seeding import Draw, stream
from chorus.learner.gradient.kernels import choose_kernels
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.network import Network, initialise
from chorus.learner.gradient.products import multiply
from chorus.learner.update import optimiser
from chorus.learner.update.device import find_device

MOST_ROWS = 96
RANKS = 3


def fingerprint(config: Config, policies: Sequence[PolicySpec]) -> Fingerprint:
    """The learner's part.

    Args:
        config: the run's, resolved.
        policies: its policies.

    Raises:
        ConfigError: the device is not there.
    """
    choose_kernels()
    device = find_device(config.device)
    rows = min(MOST_ROWS, config.episodes * max(len(spec.agents) for spec in policies))
    even, uneven = np.full(RANKS, rows), np.array([rows, (rows + 1) // 2, 1])
    found: dict[str, list[bytes]] = {}
    for number, spec in enumerate(policies):
        network = Network.load(spec, config, initialise(spec, number, config, 0), device)
        gradients = {name: _gradient(network, sizes) for name, sizes in (("even", even), ("uneven", uneven))}
        for name, gradient in gradients.items():
            found.setdefault(f"{name} lives", []).append(_bytes(gradient))
        found.setdefault("products", []).extend(_products(network, rows))
        found.setdefault("step", []).extend(_step(config, network, gradients["even"]))
    found["functions"] = list(_functions(device))
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    return {
        f"{LEARNER}torch": str(torch.__version__),
        f"{LEARNER}device": where,
        TOLD: processor.name(),
        **{f"{LEARNER}{name}": hashlib.sha256(b"".join(parts)).hexdigest()[:32] for name, parts in found.items()},
    }


def _gradient(network: Network, sizes: np.ndarray) -> Tensor:
    """Of a sum over all that the network says of made-up lives."""
    lengths = np.array([int((sizes > life).sum()) for life in range(int(sizes[0]))])
    lives = Lives(None, sizes, lengths)
    draws = stream(2, Draw.INITIALISATION)
    seen = network.spec.seen.size if network.value is None else network.value[0].size
    inputs, shown = (
        torch.from_numpy(draws.uniform(-1.0, 1.0, (lives.count, size)).astype(np.float32)).to(network.flat.device)
        for size in (network.spec.seen.size, seen)
    )
    outputs = network.forward(inputs, lives, None if network.value is None else shown)
    loss = torch.log_softmax(outputs.policy, dim=1)[:, 0].sum() + outputs.policy.square().sum()
    if outputs.value is not None:
        loss = loss + outputs.value.square().sum()
    return network.gradient(loss)


def _products(network: Network, rows: int) -> Iterator[bytes]:
    """Of a layer forwards, and backwards to its weights and to its inputs, for the shapes of all of them."""
    draws = stream(3, Draw.INITIALISATION)
    for shape in sorted({tuple(value.shape) for value in network.parameters.values() if value.dim() == 2}):
        weight, inputs, arriving = (
            torch.from_numpy(draws.uniform(-1.0, 1.0, size).astype(np.float32)).to(network.flat.device)
            for size in (shape, (rows, shape[1]), (rows, shape[0]))
        )
        for product in ((inputs, weight.t()), (arriving, weight), (arriving.t(), inputs)):
            yield _bytes(multiply(*product))


def _step(config: Config, network: Network, gradient: Tensor) -> Iterator[bytes]:
    weights = network.flat.detach().clone()
    state = optimiser.fresh(config.optimiser, weights)
    for _ in range(2):
        optimiser.step(config.optimiser, weights, optimiser.clip(gradient, 1.0).gradient, state, 1e-3)
    yield _bytes(weights)


def _functions(device: torch.device) -> Iterator[bytes]:
    for dtype in (torch.float32, torch.float64):
        table = torch.linspace(-20.0, 20.0, 4002, dtype=dtype).to(device)
        for function in (torch.exp, torch.tanh, torch.sigmoid, torch.nn.functional.softplus):
            yield _bytes(function(table))
        yield _bytes(torch.log_softmax(table.view(3, -1), dim=0))
        yield _bytes(optimiser.root(table.abs()))
        yield _bytes(table.norm())


def _bytes(tensor: Tensor) -> bytes:
    return np.ascontiguousarray(tensor.detach().cpu().numpy()).tobytes()
