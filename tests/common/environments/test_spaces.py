"""Gymnasium's spaces: each round trip checked against gymnasium's own `flatten` where it has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chorus.common.environments.spaces import action_coder, observation_coder, write_mask
from chorus.common.errors import EnvironmentFault

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces

OBSERVATIONS = {
    "box": spaces.Box(-1, 1, (4,)),
    "scalar box": spaces.Box(-1, 1, ()),
    "float64 matrix": spaces.Box(-np.inf, np.inf, (2, 3), np.float64),
    "small integers": spaces.Box(0, 1, (6, 7, 2), np.int8),
    "discrete": spaces.Discrete(5),
    "discrete from 3": spaces.Discrete(5, start=3),
    "multi-discrete": spaces.MultiDiscrete([3, 2, 4]),
    "multi-binary": spaces.MultiBinary(6),
    "dict": spaces.Dict({"b": spaces.Discrete(3), "a": spaces.Box(0, 1, (2,))}),
    "tuple": spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary(2), spaces.Tuple([spaces.Box(0, 1, (2, 2))])]),
}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_observations_are_flattened_as_gymnasium_flattens_them(name: str) -> None:
    space = OBSERVATIONS[name]
    space.seed(3)
    coder = observation_coder(space, "toy")
    assert coder.size == int(np.prod(coder.shape)) == spaces.flatdim(space)
    for _ in range(20):
        value = space.sample()
        row = np.full(coder.size, np.nan, np.float32)
        coder.write(value, row)
        np.testing.assert_array_equal(row, spaces.flatten(space, value).astype(np.float32))


def test_pictures_keep_their_shape_and_are_scaled_to_one() -> None:
    space = spaces.Box(0, 255, (4, 5, 3), np.uint8)
    coder = observation_coder(space, "toy")
    assert coder.shape == (4, 5, 3)
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    picture[0, 0, 0] = 255
    row = np.empty(60, np.float32)
    coder.write(picture, row)
    np.testing.assert_allclose(row, picture.ravel() / 255, rtol=1e-6)
    assert row[0] == 1


def test_a_picture_beside_an_action_mask_stays_a_picture() -> None:
    space = spaces.Dict({"observation": spaces.Box(0, 1, (6, 7, 2)), "action_mask": spaces.MultiBinary(7)})
    assert observation_coder(space, "toy").shape == (6, 7, 2)


ACTIONS = {
    "discrete": (spaces.Discrete(5), (5,), [3], 3),
    "discrete from 2": (spaces.Discrete(5, start=2), (5,), [3], 5),
    "multi-discrete": (spaces.MultiDiscrete([3, 2]), (3, 2), [2, 1], [2, 1]),
    "matrix": (spaces.MultiDiscrete([[3, 2], [4, 5]]), (3, 2, 4, 5), [2, 1, 0, 4], [[2, 1], [0, 4]]),
    "multi-binary": (spaces.MultiBinary(3), (2, 2, 2), [1, 0, 1], [1, 0, 1]),
    "tuple": (spaces.Tuple([spaces.Discrete(3), spaces.MultiDiscrete([2, 2])]), (3, 2, 2), [1, 0, 1], (1, [0, 1])),
    "dict": (spaces.Dict({"go": spaces.Discrete(3), "say": spaces.Discrete(4)}), (3, 4), [1, 3], {"go": 1, "say": 3}),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_discrete_actions_become_components_and_back(name: str) -> None:
    space, choices, row, expected = ACTIONS[name]
    coder = action_coder(space, "toy")
    assert (coder.choices, coder.bounds) == (choices, ())
    action = coder.read(row)
    assert space.contains(action)
    assert plain(action) == expected


def plain(value: Any) -> Any:
    """The same in Python's own types."""
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_continuous_actions_keep_bounds_and_shape(dtype: Any) -> None:
    space = spaces.Box(np.array([[-1, -2], [0, 0]]), np.array([[1, 2], [3, 1]]), dtype=dtype)
    coder = action_coder(space, "toy")
    assert list(coder.bounds) == [(-1, 1), (-2, 2), (0, 3), (0, 1)]
    assert not coder.choices
    assert space.contains(coder.read(np.array([1, -2, 3, 0.5], np.float32)))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Box(0, 5, (2,), np.int64), "int64.*MultiDiscrete"),
        (spaces.Box(1, 1, (1,)), "nothing to choose"),
        (spaces.Text(3), "cannot take the action space"),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (1,))]), "continuous parts"),
    ],
)
def test_an_action_space_that_cannot_be_taken_is_explained(space: Any, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"toy.*{words}"):
        action_coder(space, "toy")


def test_an_observation_space_that_cannot_be_taken_is_explained() -> None:
    with pytest.raises(EnvironmentFault, match=r"toy, part 'text'.*cannot take"):
        observation_coder(spaces.Dict({"text": spaces.Text(3), "x": spaces.Discrete(2)}), "toy")


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (spaces.Box(0, 1, (3,)), np.zeros(1)),
        (spaces.Box(0, 1, (3,)), np.zeros((3, 1))),
        (spaces.Box(0, 255, (2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8)),
        (spaces.Discrete(3), 3),
        (spaces.Discrete(3), -1),
        (spaces.MultiDiscrete([2, 2]), np.array([0])),
    ],
)
def test_an_observation_that_its_space_does_not_hold_is_never_bent_to_fit(space: Any, value: Any) -> None:
    coder = observation_coder(space, "toy")
    with pytest.raises(EnvironmentFault, match="toy: observed"):
        coder.write(value, np.empty(coder.size, np.float32))


def test_masks_are_one_array_or_one_for_each_component() -> None:
    for mask in (np.array([1, 0, 1, 0, 1], np.int8), (np.array([1, 0, 1]), np.array([0, 1])), [1, 0, 1, 0, 1]):
        row = np.zeros(5, np.bool_)
        write_mask(mask, row, "toy")
        assert row.tolist() == [True, False, True, False, True]
    with pytest.raises(EnvironmentFault, match="toy: the action mask has 4 entries where the actions have 5"):
        write_mask(np.ones(4), np.zeros(5, np.bool_), "toy")


def test_some_allowed_action_is_allowed() -> None:
    coder = action_coder(spaces.MultiDiscrete([3, 2]), "toy")
    assert coder.allowed(np.array([0, 0, 1, 0, 1])) == [2, 1]
    assert coder.allowed() == [0, 0]
    assert action_coder(spaces.Box(-1, 3, (1,)), "toy").allowed().tolist() == [1]


@pytest.mark.parametrize(
    ("mask", "named"),
    [
        (np.array([0.0, -np.inf, 0.0]), "-inf"),
        (np.array([0.0, -1e9, 0.0]), "-1000000000.0"),
        (np.array([1, 2, 0]), "2"),
        (np.array([1.0, np.nan, 0.0]), "nan"),
        ([True, None, False], "None"),
        (np.array(["1", "0", "1"]), "'1'"),
    ],
    ids=repr,
)
def test_a_mask_of_anything_but_0_and_1_is_refused_with_its_value(mask: Any, named: str) -> None:
    with pytest.raises(EnvironmentFault, match="toy: the action mask holds") as fault:
        write_mask(mask, np.zeros(3, np.bool_), "toy")
    assert named in str(fault.value) and "at place" in str(fault.value)


@pytest.mark.parametrize("value", [300, -5, 0.5, 256])
def test_bytes_that_are_none_are_never_wrapped(value: float) -> None:
    coder = observation_coder(spaces.Box(0, 255, (2,), np.uint8), "toy")
    for dtype in (np.float32, np.uint8):
        with pytest.raises(EnvironmentFault, match=f"toy: observed {value}"):
            coder.write(np.array([1, value]), np.empty(2, dtype))


def test_bytes_stay_bytes_where_the_row_is_of_bytes() -> None:
    coder = observation_coder(spaces.Box(0, 255, (2, 2, 3), np.uint8), "toy")
    picture, row = np.arange(12, dtype=np.int64).reshape(2, 2, 3), np.zeros(12, np.uint8)
    coder.write(picture, row)
    assert coder.raw and row.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("space", "value", "words"),
    [
        (spaces.Dict({"q": spaces.Discrete(2), "x": spaces.Discrete(2)}), {"x": 1}, "lacks the part 'q'.*parts 'x'"),
        (spaces.Dict({"q": spaces.Discrete(2)}), {}, "lacks the part 'q'"),
        (spaces.Tuple([spaces.Discrete(2), spaces.Discrete(2)]), (1,), "lacks the part 1"),
        (spaces.Dict({"q": spaces.Discrete(2), "x": spaces.Discrete(2)}), 3, "lacks the part 'q'.*it is 3"),
    ],
)
def test_an_observation_that_lacks_a_part_says_which(space: Any, value: Any, words: str) -> None:
    coder = observation_coder(space, "toy")
    with pytest.raises(EnvironmentFault, match=f"toy: the observation {words}"):
        coder.write(value, np.zeros(coder.size, np.float32))


def test_continuous_actions_need_no_bounds() -> None:
    low, high = np.array([-np.inf, 0, -np.inf, -1], np.float32), np.array([np.inf, np.inf, 2, 1], np.float32)
    coder = action_coder(spaces.Box(low, high), "toy")
    assert list(coder.bounds) == [(-np.inf, np.inf), (0, np.inf), (-np.inf, 2), (-1, 1)]
    allowed = coder.allowed()
    assert (allowed >= low).all() and (allowed <= high).all() and np.isfinite(allowed).all()
