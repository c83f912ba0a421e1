"""The set encoder in torch: entities look at one another, and their mean goes on. NumPy twin: `actor/attention.py`.

    y_e = layer(x_e),   z_e = norm(y_e + O sum_f softmax_f(q_e k_f / sqrt(d)) v_f),   out = mean_e z_e

(multi-head attention: Vaswani et al. 2017; sets: Lee et al. 2019), over the entities that are there: a row of zeros is
nobody. The order of entities changes nothing but the last bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chorus.common.policy.trunk import Seen
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient.layer import Parameters, layer, linear, norm
from chorus.learner.gradient.products import product

UNSEEN = -1e9
"""Added to the scores of entities that are not there; their share is then exactly 0 if anybody is."""


def see_set(own: Parameters, seen: Seen, network: NetworkConfig, inputs: Tensor) -> Tensor:
    """The entities of each row `[row, input]` as `[row, width]`; whatever follows them is passed on."""
    entities, features = seen.shape
    raw = inputs[:, : entities * features].reshape(-1, entities, features)
    present = (raw != 0).any(dim=2)
    told = layer(own, "entity", raw.reshape(-1, features), network.activation)
    shape = (len(inputs), entities, network.heads, -1)
    query, key, value = (
        linear(own, f"attention.{part}", told).view(shape).transpose(1, 2) for part in ("query", "key", "value")
    )
    scores = product(query, key.transpose(2, 3)) / (network.attention // network.heads) ** 0.5
    scores = scores + UNSEEN * (~present)[:, None, None, :].to(scores.dtype)
    looked = product(torch.softmax(scores, dim=3), value).transpose(1, 2).reshape(len(told), -1)
    told = norm(own, "attention", told + linear(own, "attention.output", looked))
    there = present[:, :, None].to(told.dtype)
    mean = (told.view(len(inputs), entities, -1) * there).sum(dim=1) / there.sum(dim=1).clamp(min=1.0)
    return torch.cat([mean, inputs[:, entities * features :]], dim=1)
