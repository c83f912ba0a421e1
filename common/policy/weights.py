"""Policy versions: the bytes that act and are differentiated, made once and handed on unchanged.

A version is more than weights: whatever acting or learning depends on and an update may change (observation
statistics, reward and advantage scale) is a tensor of it. `final/policy.safetensors` is such a file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from chorus.common.errors import Corrupted, MalformedData

Tensor = NDArray[Any]
"""float32, but float64 for running statistics."""
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class PolicyVersion:
    """One version: its number, its safetensors file, and that file's SHA-256."""

    version: int
    data: bytes
    sha256: bytes

    def tensors(self) -> Tensors:
        """The tensors by name (`POLICY/encoder.weight` and so on)."""
        return load(self.data)


def make(version: int, tensors: Tensors) -> PolicyVersion:
    """Serialise a version; equal tensors give equal bytes."""
    data = save(tensors)
    return PolicyVersion(version, data, hashlib.sha256(data).digest())


def receive(version: int, data: bytes, sha256: bytes) -> PolicyVersion:
    """A version from the wire or from disk.

    Raises:
        Corrupted: the digest does not fit.
        MalformedData: the bytes are no safetensors file.
    """
    if hashlib.sha256(data).digest() != sha256:
        raise Corrupted(f"weights of version {version} do not have the digest that was announced")
    return check(PolicyVersion(version, data, sha256))


def check(policy: PolicyVersion) -> PolicyVersion:
    """The same version, once its file has been seen to be whole.

    Raises:
        MalformedData: the bytes are no safetensors file.
    """
    try:
        policy.tensors()
    except SafetensorError as fault:
        raise MalformedData(f"weights of version {policy.version} are no safetensors file: {fault}") from fault
    return policy
