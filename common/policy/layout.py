"""The tensors of a policy: what they are called, their shapes, and how they begin.

The one description that the learner's torch network and the actor's NumPy network both follow:

    observation -> [normalise] -> trunk (`trunk.py`) -> head -> logits, or means, `log_std` beside them
    observation ->  …  the same again under `value.`, if the value has a network of its own          -> value
                    (which may see the whole team: `value.sees`)
                    or from the policy's own trunk (`value.network: head`)                            -> value
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import MODULE, Draw, Seen, linear
from chorus.common.policy.trunk import trunk as built
from chorus.common.settings.config import Config
from chorus.common.settings.sections import NetworkConfig

Shapes = Mapping[str, tuple[int, ...]]
INITIAL_LOG_STD = -0.5
HEAD_GAIN, VALUE_GAIN = 0.01, 1.0
"""Of orthogonal heads: a policy begins near chance, a value does not (Andrychowicz et al. 2021)."""


def layout(spec: PolicySpec, config: Config, module: Shapes | None = None) -> dict[str, Draw]:
    """The trainable tensors of one policy by name, in the order in which they are drawn and stored.

    Args:
        spec: the policy.
        config: of the run.
        module: the tensors of the network of the user's own that stands in the trunk's place; None if there is none.
    """
    network = spec.network

    def trunk(prefix: str, seen: Seen, network: NetworkConfig) -> dict[str, Draw]:
        if module is None or not network.module:
            return built(seen, network, prefix)
        return {f"{prefix}{MODULE}.{name}": Draw(shape, given=True) for name, shape in module.items()}

    tensors = trunk("", spec.seen, network)
    tensors |= linear("head", network.memory_width, spec.output_size, network, HEAD_GAIN)
    if spec.agent.bounds:
        tensors["log_std"] = Draw((len(spec.agent.bounds),), constant=INITIAL_LOG_STD)
    if config.loss.baseline == "value":
        if config.value.network == "own":
            tensors |= trunk("value.", *value_trunk(spec, config))
        tensors |= linear("value.head", network.memory_width, 1, network, VALUE_GAIN)
    return tensors


def value_trunk(spec: PolicySpec, config: Config) -> tuple[Seen, NetworkConfig]:
    """What a value's own network reads, and how its trunk is built.

    As the policy's, but that one which sees the team reads one long row of numbers, whatever its parts are, by layers
    of Chorus' own, and that `value.memory` may differ.
    """
    seen, network = spec.seen, spec.network
    if config.value.sees == "team":
        seen, network = Seen((spec.team_input_size,)), replace(network, module="", module_sha256="")
    return seen, replace(network, memory=config.value.memory or network.memory)
