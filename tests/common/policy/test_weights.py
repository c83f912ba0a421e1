"""A version is made once, handed on as it is, and recognised when it is torn."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.errors import Corrupted, MalformedData
from chorus.common.policy.weights import PolicyVersion, Tensors, check, make, receive


def some_tensors(seed: int = 0) -> Tensors:
    """Weights and statistics."""
    draws = np.random.Generator(np.random.Philox(key=seed))
    return {
        "all/encoder.weight": draws.normal(size=(4, 3)).astype(np.float32),
        "all/encoder.bias": np.zeros(4, np.float32),
        "all/advantage": np.array([1.0, 1e-300]),
    }


def test_equal_tensors_give_equal_bytes_in_whatever_order_they_are_named() -> None:
    tensors = some_tensors()
    backwards = dict(reversed(list(tensors.items())))
    assert make(1, tensors) == make(1, backwards)
    assert make(1, tensors).data != make(1, some_tensors(1)).data


def test_a_version_gives_back_what_it_was_made_of() -> None:
    tensors = some_tensors()
    version = make(7, tensors)
    assert version.sha256 == hashlib.sha256(version.data).digest()
    again = receive(7, version.data, version.sha256).tensors()
    assert again.keys() == tensors.keys()
    for name, value in tensors.items():
        assert again[name].dtype == value.dtype
        np.testing.assert_array_equal(again[name], value)


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_single_flipped_bit_is_noticed(place: int, bit: int) -> None:
    version = make(1, some_tensors())
    data = bytearray(version.data)
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(Corrupted, match="version 1"):
        receive(1, bytes(data), version.sha256)


def test_what_is_cut_short_or_no_such_file_is_refused_even_with_the_right_digest() -> None:
    whole = make(1, some_tensors()).data
    for data in (b"", whole[:5], whole[:-1], b"\xff" * 64, whole + b"x"):
        with pytest.raises(MalformedData, match="no safetensors file"):
            check(PolicyVersion(1, data, hashlib.sha256(data).digest()))
