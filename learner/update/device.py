"""Where gradients are computed."""

from __future__ import annotations

import torch

from chorus.common.errors import ConfigError
from chorus.learner.group.processes import local_rank


def find_device(name: str) -> torch.device:
    """The device that gradients are computed on: by `cuda` each of several processes on a machine has its own.

    Raises:
        ConfigError: it is not there.
    """
    device = torch.device("cuda", local_rank()) if name == "cuda" else torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if device.index >= count:
            raise ConfigError(f"device is {name!r}, but torch sees {count} CUDA devices here; use cpu")
        torch.use_deterministic_algorithms(True)
    return device
