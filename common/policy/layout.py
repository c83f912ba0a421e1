"""The tensors of a policy: what they are called, their shapes, and how they begin.

The one description that the learner's torch network and the actor's NumPy network both follow:

    observation -> [normalise] -> trunk (`trunk.py`) -> head -> logits, or means, `log_std` beside them
    observation ->  …  the same again under `value.`, if the value has a network of its own          -> value
                    or from the policy's own trunk (`value.network: head`)                            -> value
"""

from __future__ import annotations

from collections.abc import Mapping

from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import MODULE, Draw, linear
from chorus.common.policy.trunk import trunk as built
from chorus.common.settings.config import Config

Shapes = Mapping[str, tuple[int, ...]]
INITIAL_LOG_STD = -0.5
HEAD_GAIN, VALUE_GAIN = 0.01, 1.0
"""Of orthogonal heads: a policy begins near chance, a value does not (Andrychowicz et al. 2021)."""


def layout(spec: PolicySpec, config: Config, module: Shapes | None = None) -> dict[str, Draw]:
    """The trainable tensors of one policy by name, in the order in which they are drawn and stored.

    Args:
        spec: the policy.
        config: of the run.
        module: the tensors of the network of one's own that stands in the trunk's place; None if there is none.
    """
    network = spec.network

    def trunk(prefix: str) -> dict[str, Draw]:
        if module is None:
            return built(spec.seen, network, prefix)
        return {f"{prefix}{MODULE}.{name}": Draw(shape, given=True) for name, shape in module.items()}

    tensors = trunk("")
    tensors |= linear("head", network.memory_width, spec.output_size, network, HEAD_GAIN)
    if spec.agent.bounds:
        tensors["log_std"] = Draw((len(spec.agent.bounds),), constant=INITIAL_LOG_STD)
    if config.loss.baseline == "value":
        if config.value.network == "own":
            tensors |= trunk("value.")
        tensors |= linear("value.head", network.memory_width, 1, network, VALUE_GAIN)
    return tensors
