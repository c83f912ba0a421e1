"""A policy as bare tensors with their description, for those who write the few lines of its arithmetic themselves."""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import save

from chorus.formats.model import Model


def write(model: Model, path: Path) -> None:
    """Write the file: the tensors that acting needs, by name without the policy's, and the metadata."""
    path.write_bytes(save(model.tensors, metadata=model.about))
