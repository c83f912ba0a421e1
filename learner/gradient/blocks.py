"""How a task is divided into blocks of rows, each of which is differentiated by itself.

Lives are independent of one another given the weights, so a task's gradient is the sum of its blocks' gradients, added
in the order of rows. What a forward pass leaves for the backward pass is held for one block at a time. A block is a
function of the task's shape and of how the networks are built, never of the machine, the number of threads or
`learner.memory`: a row in a product of 96 rows and the same row in one of 90 may differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from chorus.common.policy.layout import value_trunk
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import Seen, is_set
from chorus.common.settings.config import Config
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient.network import structure

BLOCK_BYTES = 128 << 20
"""What a block takes at most, unless one row alone takes more: a recurrence is differentiated over all its steps."""
NUMBER = 4
"""Bytes of a float32."""
COPIES = 2
"""Of what a layer puts out: its output, and that output's gradient or what its activation leaves."""
LOSS_COPIES = 16
"""Of what a head puts out, on the way to the loss."""


def blocks(steps: int, rows: int, each: int) -> list[slice]:
    """The blocks of a task of so many rows and steps, of which one step of one row takes `each` bytes: as equal in
    number of rows as can be, the first ones larger."""
    number = ceil(rows / max(1, BLOCK_BYTES // (steps * each)))
    ends = [0]
    for place in range(number):
        ends.append(ends[-1] + rows // number + (place < rows % number))
    return [slice(begin, end) for begin, end in pairwise(ends)]


def step_bytes(spec: PolicySpec, config: Config) -> int:
    """What differentiating one step of one row takes, about: what the networks are shown and what their layers put out,
    of the policy and of a value of its own."""
    numbers = _trunk(spec.seen, spec.network)
    if config.loss.baseline == "value" and config.value.network == "own":
        numbers += _trunk(*value_trunk(spec, config))
    outputs: int = sum(int(draw.shape[0]) for draw in structure(spec, config).values() if len(draw.shape) > 1)
    return NUMBER * (COPIES * (numbers + outputs) + LOSS_COPIES * (1 + spec.output_size))


def block_bytes(policies: Sequence[PolicySpec], config: Config, steps: int) -> int:
    """What the largest block of a task takes whose episodes have so many steps."""
    largest = 0
    for spec in policies:
        each, rows = step_bytes(spec, config), config.episodes * len(spec.agents)
        first = blocks(steps, rows, each)[0]
        largest = max(largest, len(range(rows)[first]) * steps * each)
    return largest


def _trunk(seen: Seen, network: NetworkConfig) -> int:
    """Numbers that a trunk is shown and that attention makes of them, at one step of one row. What convolutions make of
    pictures is held for a few of them only (`convolution.py`)."""
    numbers = seen.size
    if is_set(seen.shape, network):
        entities = seen.shape[0]
        numbers += entities * (6 * network.attention + network.heads * entities)
    return numbers
