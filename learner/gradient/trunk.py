"""A network's trunk in torch, over the lives of a task; `common/policy/trunk.py` says what it is made of.

The actor's NumPy twin is `actor/inference.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from chorus.common.environments.interface import BYTE
from chorus.common.policy.trunk import MODULE, Seen, is_picture, is_set, memory_names, numbered
from chorus.common.settings.sections import NetworkConfig
from chorus.learner.gradient import own_module
from chorus.learner.gradient.attention import see_set
from chorus.learner.gradient.convolution import pictures_at_once, see_picture
from chorus.learner.gradient.gru import packed_gru
from chorus.learner.gradient.layer import Parameters, layer, norm
from chorus.learner.gradient.lives import Lives
from chorus.learner.gradient.products import by_numpy
from chorus.learner.gradient.recurrence import packed_lstm


@dataclass(frozen=True)
class Trunk:
    """The parameters of a trunk by their names in it, what it reads, and how it is built."""

    own: Parameters
    seen: Seen
    network: NetworkConfig

    @staticmethod
    def of(parameters: Parameters, prefix: str, seen: Seen, network: NetworkConfig) -> Trunk:
        """The trunk whose tensors' names begin with `prefix`."""
        own = {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
        return Trunk(own, seen, network)

    def outputs(self, inputs: Tensor, lives: Lives) -> Tensor:
        """What the head reads, `[step, unit]`, of inputs `[step, input]` in the packed order of `lives`."""
        own, network = self.own, self.network
        if network.module:
            module = {name[len(MODULE) + 1 :]: value for name, value in own.items() if name.startswith(f"{MODULE}.")}
            return own_module.outputs(module, self.seen, network, inputs, lives)
        inputs = self._looked_at(inputs)
        for name in memory_names(network):
            if network.memory == "none":
                inputs = layer(own, name, inputs, network.activation)
            else:
                recurrence = self._lstm if network.memory == "lstm" else self._gru
                inputs = norm(own, name, recurrence(name, inputs, lives))
        return inputs

    def _looked_at(self, inputs: Tensor) -> Tensor:
        """What the memory reads. Of large pictures in great number the backward pass computes anew what convolutions
        made of them, a few at a time, in place of holding it (Chen et al. 2016)."""
        at_once = pictures_at_once(self.seen, self.network)
        if at_once is None or len(inputs) <= at_once:
            return self._encoded(inputs)
        parts = torch.split(inputs, at_once)
        return torch.cat(
            [checkpoint(self._encoded, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
        )

    def _encoded(self, inputs: Tensor) -> Tensor:
        """Rows `[row, input]` through eyes and encoder, each by itself."""
        own, network = self.own, self.network
        if inputs.dtype == torch.uint8:
            inputs = (inputs.float() * float(BYTE)).to(next(iter(own.values())).dtype)
        if is_picture(self.seen.shape, network):
            inputs = see_picture(own, self.seen, network, inputs)
        elif is_set(self.seen.shape, network):
            inputs = see_set(own, self.seen, network, inputs)
        for number in range(len(network.encoder_widths)):
            inputs = layer(own, numbered("encoder", number), inputs, network.activation)
        return inputs

    def _lstm(self, name: str, inputs: Tensor, lives: Lives) -> Tensor:
        own = self.own
        recurrent, bias = own[f"{name}.weight_hh"], own[f"{name}.bias"]
        if by_numpy(inputs) or (not inputs.is_cuda and lives.sizes[0] != lives.sizes[-1]):
            return packed_lstm(inputs, own[f"{name}.weight_ih"], recurrent, bias, lives.sizes)
        start = inputs.new_zeros(1, len(lives.lengths), recurrent.shape[1])
        weights = [own[f"{name}.weight_ih"], recurrent, bias, bias.new_zeros(len(bias))]
        hidden, _, _ = torch.lstm(
            inputs, torch.from_numpy(lives.sizes), (start, start), weights, True, 1, 0.0, True, False
        )
        return hidden

    def _gru(self, name: str, inputs: Tensor, lives: Lives) -> Tensor:
        own = self.own
        recurrent, bias, second = own[f"{name}.weight_hh"], own[f"{name}.bias"], own[f"{name}.bias_hh"]
        if not inputs.is_cuda:
            return packed_gru(inputs, own[f"{name}.weight_ih"], recurrent, bias, second, lives.sizes)
        start = inputs.new_zeros(1, len(lives.lengths), recurrent.shape[1])
        weights = [own[f"{name}.weight_ih"], recurrent, bias, torch.cat([bias.new_zeros(2 * len(second)), second])]
        hidden, _ = torch.gru(inputs, torch.from_numpy(lives.sizes), start, weights, True, 1, 0.0, True, False)
        return hidden
