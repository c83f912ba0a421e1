"""Gymnasium's spaces in Chorus's terms: what an agent sees as one flat row, what it does as a few components.

A space is known by the name of its class, whether gymnasium's or old gym's, and neither is imported.

    observation                         becomes
    Box                                 its numbers; bytes from 0 to 255 (pictures) are scaled to 0 … 1, or stay bytes
                                        where the row is of bytes
    Discrete, MultiDiscrete             one-hot, one block for each component
    MultiBinary                         its zeros and ones
    Dict, Tuple                         its parts, one after the other, in the space's own order

    action                              becomes
    Discrete, MultiDiscrete             one component for each, numbered from 0
    MultiBinary                         one component of two choices for each bit
    Box                                 one component with its bounds for each number; either may be infinite
    Tuple, Dict of discrete ones        their components, one after the other
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from chorus.common.environments.interface import BYTE, BoolArray, FloatArray, ObservationArray
from chorus.common.errors import EnvironmentFault

_KINDS = ("Discrete", "MultiDiscrete", "MultiBinary", "Box", "Dict", "Tuple")
MASK_KEY = "action_mask"  # PettingZoo's convention, beside "observation"


@dataclass(frozen=True)
class ObservationCoder:
    """How an observation becomes a row.

    Attributes:
        shape: of the observation before it is flattened; `(height, width, channels)` for a picture.
        size: length of the row.
        write: `write(observation, row)` fills the row `[size]`, float32, or uint8 where `raw`.
        raw: it is bytes from 0 to 255.
        low, high: `[size]`, what the space promises of each number of a float32 row; infinite where it promises
            nothing.
    """

    shape: tuple[int, ...]
    size: int
    write: Callable[[Any, Any], None]
    raw: bool = False
    low: FloatArray | None = None
    high: FloatArray | None = None


@dataclass(frozen=True)
class ActionCoder:
    """How components become an action. Either `choices` or `bounds` is empty.

    Attributes:
        choices: of each component, for discrete actions.
        bounds: `(low, high)` of each component, for continuous actions.
        read: makes the environment's action of a row of components: a list of int, or a float32 array.
    """

    choices: tuple[int, ...]
    bounds: tuple[tuple[float, float], ...]
    read: Callable[[Any], Any]

    def allowed(self, mask: Any = None) -> Any:
        """Some row of components that is allowed: the middle of the bounds, or every first allowed choice."""
        if self.bounds:
            return np.array([_between(low, high) for low, high in self.bounds], np.float32)
        if mask is None:
            return [0] * len(self.choices)
        flat = np.zeros(sum(self.choices), np.bool_)
        write_mask(mask, flat, "action mask")
        starts = np.cumsum(self.choices) - self.choices
        return [int(np.argmax(flat[a : a + n])) for a, n in zip(starts, self.choices, strict=True)]


def observation_coder(space: Any, who: str) -> ObservationCoder:
    """The coder of an observation space; `who` begins the message if it cannot be taken."""
    kind = _kind(space)
    if kind == "Box":
        shape = tuple(int(side) for side in space.shape)
        size = int(np.prod(shape))
        if space.dtype == np.uint8 and size and (np.asarray(space.high) == 255).all():
            return ObservationCoder(shape or (1,), size, partial(_write_bytes, shape, who), raw=True)
        low, high = (np.broadcast_to(side, shape).astype(np.float32).ravel() for side in (space.low, space.high))
        return ObservationCoder(shape or (1,), size, partial(_write_numbers, shape, who), low=low, high=high)
    if kind == "Discrete":
        count, start = int(space.n), int(getattr(space, "start", 0))
        return ObservationCoder((count,), count, partial(_write_choice, np.array([count]), np.array([start]), who))
    if kind == "MultiDiscrete":
        counts = np.asarray(space.nvec).ravel().astype(int)
        starts = _starts(space, len(counts))
        size = int(counts.sum())
        return ObservationCoder((size,), size, partial(_write_choice, counts, starts, who))
    if kind == "MultiBinary":
        shape = tuple(int(side) for side in space.shape)
        return ObservationCoder((int(np.prod(shape)),), int(np.prod(shape)), partial(_write_numbers, shape, who))
    if kind in ("Dict", "Tuple"):
        return _observation_of_parts(space, kind, who)
    raise EnvironmentFault(
        f"{who}: cannot take the observation space {space}; give a Box, Discrete, MultiDiscrete, MultiBinary, or a "
        "Dict or Tuple of these"
    )


def _observation_of_parts(space: Any, kind: str, who: str) -> ObservationCoder:
    """A Dict (less its action mask) or a Tuple; with one part alone, that part, so that a picture stays a picture."""
    parts = list(space.spaces.items()) if kind == "Dict" else list(enumerate(space.spaces))
    parts = [(key, part) for key, part in parts if key != MASK_KEY]
    coders = [(key, observation_coder(part, f"{who}, part {key!r}")) for key, part in parts]
    if len(coders) == 1:
        key, only = coders[0]
        return replace(only, write=lambda value, row: only.write(_part(value, key, who), row))
    pieces, start = [], 0
    for key, coder in coders:
        pieces.append((key, slice(start, start + coder.size), coder.write))
        start += coder.size

    def write(value: Any, row: FloatArray) -> None:
        for key, piece, write_part in pieces:
            write_part(_part(value, key, who), row[piece])

    return ObservationCoder((start,), start, write)


def _write_numbers(shape: tuple[int, ...], who: str, value: Any, row: FloatArray) -> None:
    array = _numbers(value, who)
    if array.shape != shape:
        raise _wrong_shape(who, array.shape, shape)
    row[:] = array if len(shape) == 1 else array.reshape(-1)


def _write_bytes(shape: tuple[int, ...], who: str, value: Any, row: ObservationArray) -> None:
    array = _numbers(value, who)
    if array.shape != shape:
        raise _wrong_shape(who, array.shape, shape)
    if array.dtype != np.uint8:
        fitting = (array >= 0) & (array <= 255) & (array == np.floor(array))
        if not fitting.all():
            raise EnvironmentFault(
                f"{who}: observed {array[~fitting].flat[0]} where its space holds whole numbers from 0 to 255; mend "
                "the environment's observation or its space"
            )
    if row.dtype == np.uint8:
        row[:] = array.reshape(-1)
    else:
        np.multiply(array.reshape(-1), BYTE, out=row, casting="unsafe")


def _write_choice(
    counts: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], who: str, value: Any, row: FloatArray
) -> None:
    chosen = _numbers(value, who).reshape(-1)
    if chosen.shape == counts.shape:
        chosen = chosen - starts
    if chosen.shape != counts.shape or (chosen < 0).any() or (chosen >= counts).any():
        raise EnvironmentFault(
            f"{who}: observed {value!r}, which its space does not hold; mend the environment's observation or its space"
        )
    row[:] = 0.0
    row[np.cumsum(counts) - counts + chosen] = 1.0


def _numbers(value: Any, who: str) -> np.ndarray[Any, Any]:
    """The observation as an array of real numbers."""
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return value
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # ragged lists, and objects that refuse
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub":
        text = repr(value)
        raise EnvironmentFault(
            f"{who}: observed {text if len(text) <= 80 else text[:80] + '…'}, which is no array of numbers; mend the "
            "environment's observation"
        )
    return array


def _part(value: Any, key: Any, who: str) -> Any:
    """One part of an observation that its space promises in parts."""
    try:
        return value[key]
    except (KeyError, IndexError, TypeError) as error:
        held = f"has the parts {', '.join(map(repr, value))}" if isinstance(value, Mapping) else f"is {value!r:.80}"
        raise EnvironmentFault(
            f"{who}: the observation lacks the part {key!r} that its space promises: it {held}; give every part at "
            "every step"
        ) from error


def _wrong_shape(who: str, found: tuple[int, ...], promised: tuple[int, ...]) -> EnvironmentFault:
    return EnvironmentFault(
        f"{who}: observed an array of shape {list(found)} where its space promises {list(promised)}; "
        "mend the environment's observation or its space"
    )


def action_coder(space: Any, who: str) -> ActionCoder:
    """The coder of an action space; `who` begins the message if it cannot be taken."""
    kind = _kind(space)
    if kind == "Discrete":
        start = int(getattr(space, "start", 0))
        return ActionCoder((int(space.n),), (), partial(_read_choice, start))
    if kind == "MultiDiscrete":
        counts = np.asarray(space.nvec).ravel()
        starts = _starts(space, len(counts))
        shape, dtype = space.nvec.shape, getattr(space, "dtype", np.int64)
        choices = tuple(int(count) for count in counts)
        return ActionCoder(choices, (), lambda row: (np.asarray(row, dtype) + starts.astype(dtype)).reshape(shape))
    if kind == "MultiBinary":
        shape, bits = space.shape, int(np.prod(space.shape))
        return ActionCoder((2,) * bits, (), lambda row: np.asarray(row, np.int8).reshape(shape))
    if kind == "Box":
        return _box_action(space, who)
    if kind in ("Dict", "Tuple"):
        return _action_of_parts(space, kind, who)
    raise EnvironmentFault(
        f"{who}: cannot take the action space {space}; give a Discrete, MultiDiscrete, MultiBinary or Box"
    )


def _box_action(space: Any, who: str) -> ActionCoder:
    low, high = np.asarray(space.low, np.float64).ravel(), np.asarray(space.high, np.float64).ravel()
    if not np.issubdtype(space.dtype, np.floating):
        raise EnvironmentFault(
            f"{who}: the action space {space} is a Box of {space.dtype}; make it MultiDiscrete, or a Box of float32"
        )
    if not (low < high).all():
        raise EnvironmentFault(f"{who}: the action space {space} leaves nothing to choose: low must be below high")
    shape, dtype = space.shape, space.dtype
    bounds = tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))
    return ActionCoder((), bounds, lambda row: row.astype(dtype).reshape(shape))


def _action_of_parts(space: Any, kind: str, who: str) -> ActionCoder:
    parts = list(space.spaces.items()) if kind == "Dict" else list(enumerate(space.spaces))
    coders = [(key, action_coder(part, f"{who}, part {key!r}")) for key, part in parts]
    if any(coder.bounds for _, coder in coders):
        raise EnvironmentFault(
            f"{who}: the action space {space} has continuous parts; only a plain Box can be continuous, or else all "
            "parts must be discrete"
        )
    pieces, start = [], 0
    for key, coder in coders:
        pieces.append((key, slice(start, start + len(coder.choices)), coder.read))
        start += len(coder.choices)
    choices = tuple(count for _, coder in coders for count in coder.choices)
    if kind == "Dict":
        return ActionCoder(choices, (), lambda row: {key: read(row[piece]) for key, piece, read in pieces})
    return ActionCoder(choices, (), lambda row: tuple(read(row[piece]) for _, piece, read in pieces))


def _read_choice(start: int, row: Sequence[int]) -> int:
    return row[0] + start


def write_mask(mask: Any, row: BoolArray, who: str) -> None:
    """Fill `row` `[choice]` from a mask as environments give it: an array, or one array for each component."""
    array = _flat_mask(mask)
    if array.shape != row.shape:
        raise EnvironmentFault(
            f"{who}: the action mask has {array.size} entries where the actions have {row.size} choices; give one "
            "entry for each choice"
        )
    if array.dtype != np.bool_:
        strange = _neither_0_nor_1(array)
        if strange.any():
            raise EnvironmentFault(
                f"{who}: the action mask holds {array[strange][0]!r} at place {int(np.argmax(strange))}; give 1 where "
                "an action is allowed and 0 where it is not (not what is added to logits)"
            )
    row[:] = array


def _neither_0_nor_1(array: np.ndarray[Any, Any]) -> BoolArray:
    if array.dtype.kind not in "fiu":
        plain = [isinstance(value, numbers.Real | np.bool_) and value in (0, 1) for value in array]
        return ~np.array(plain, np.bool_)
    strange: BoolArray = (array != 0) & (array != 1)
    return strange


def _flat_mask(mask: Any) -> np.ndarray[Any, Any]:
    if isinstance(mask, np.ndarray):
        return np.ravel(mask)
    try:
        return np.ravel(np.hstack(mask))
    except (ValueError, TypeError):  # a single number, a text, arrays that do not go together
        return np.ravel(np.asarray(mask, object))


def _between(low: float, high: float) -> float:
    """Some number within bounds of which either may be infinite."""
    if np.isfinite(low) and np.isfinite(high):
        return (low + high) / 2
    return low + 1.0 if np.isfinite(low) else high - 1.0 if np.isfinite(high) else 0.0


def _starts(space: Any, count: int) -> np.ndarray[Any, Any]:
    """The first number of each component."""
    start = getattr(space, "start", None)
    return np.zeros(count, int) if start is None else np.asarray(start).ravel().astype(int)


def _kind(space: Any) -> str | None:
    """The name of the nearest class that is known."""
    return next((cls.__name__ for cls in type(space).__mro__ if cls.__name__ in _KINDS), None)
