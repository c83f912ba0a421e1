"""The tensors of a policy: what they are called, their shapes, and how they begin.

The one description that the learner's torch network and the actor's NumPy network both follow:

    observation -> [normalise] -> trunk (`trunk.py`) -> head -> logits, or means, `log_std` beside them
    observation ->  …  the same again under `value.`, if the value has a network of its own          -> value
                    or from the policy's own trunk (`value.network: head`)                            -> value
"""

from __future__ import annotations

from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.trunk import Draw, linear, trunk
from chorus.common.settings.config import Config

INITIAL_LOG_STD = -0.5
HEAD_GAIN, VALUE_GAIN = 0.01, 1.0
"""Of orthogonal heads: a policy begins near chance, a value does not (Andrychowicz et al. 2021)."""


def layout(spec: PolicySpec, config: Config) -> dict[str, Draw]:
    """The trainable tensors of one policy by name, in the order in which they are drawn and stored."""
    network = spec.network
    tensors = trunk(spec.seen, network, "")
    tensors |= linear("head", network.memory_width, spec.output_size, network, HEAD_GAIN)
    if spec.agent.bounds:
        tensors["log_std"] = Draw((len(spec.agent.bounds),), constant=INITIAL_LOG_STD)
    if config.loss.baseline == "value":
        if config.value.network == "own":
            tensors |= trunk(spec.seen, network, "value.")
        tensors |= linear("value.head", network.memory_width, 1, network, VALUE_GAIN)
    return tensors
