"""What a search consists of: the settings that it may choose, and for how long. Pure; `choose.py` chooses.

search:
  over:
    optimiser.learning_rate: { low: 1e-4, high: 1e-1, log: true }
    network.lstm: { low: 32, high: 128, step: 32 }         # two whole numbers: a whole number
    sharing.mode: [all, none]                              # one of these
  combinations: 20                                         # how many are tried, each with all seeds
  round: 4                                                 # so many are chosen together, and done side by side
  seed: 0                                                  # of the search itself
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chorus.common.errors import ConfigError

KEYS = ("over", "combinations", "round", "seed")
RANGE_KEYS = ("low", "high", "log", "step")
Choice = dict[str, Any]
"""A combination: setting by its full name to its value."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included: whole ones if both are; evenly in the logarithm if `log`."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def plain(self) -> dict[str, Any]:
        """As it stands in the file."""
        told: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            told["log"] = True
        if self.step is not None:
            told["step"] = self.step
        return told


Values = Range | tuple[Any, ...]


@dataclass(frozen=True)
class Search:
    """What is searched, and for how long; see the module's head."""

    over: dict[str, Values]
    combinations: int = 20
    round: int = 4
    seed: int = 0

    def plain(self) -> dict[str, Any]:
        """As it stands in the file."""
        over = {
            name: values.plain() if isinstance(values, Range) else list(values) for name, values in self.over.items()
        }
        return {"over": over, "combinations": self.combinations, "round": self.round, "seed": self.seed}

    def extremes(self) -> list[Choice]:
        """Combinations that hold every value there is, and both ends of every range: if these are sound, all are."""
        ends = {
            name: (values.low, values.high) if isinstance(values, Range) else values
            for name, values in self.over.items()
        }
        return [
            {name: values[min(place, len(values) - 1)] for name, values in ends.items()}
            for place in range(max(map(len, ends.values())))
        ]


def parse_search(given: Any) -> Search:
    """The search that plain values describe.

    Raises:
        ConfigError: something is unknown, of the wrong kind, or leaves nothing to search.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"search is {given!r}: write `search:` and below it, indented, `over:` and `combinations:`")
    for key in given:
        if key not in KEYS:
            raise ConfigError(f"search: there is no {key!r}; there are {', '.join(KEYS)}")
    over = given.get("over")
    if not isinstance(over, Mapping) or not over:
        raise ConfigError(
            f"search: over is {over!r}: write below it `section.setting: {{low: 1e-4, high: 1e-1, log: true}}` or a"
            " list of values"
        )
    counts = {key: _count(key, given[key], 0 if key == "seed" else 1) for key in KEYS[1:] if key in given}
    return Search({str(name): _values(str(name), values) for name, values in over.items()}, **counts)


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"search: {name} is {value!r}: expected an integer of at least {least}")
    return value


def _values(name: str, given: Any) -> Values:
    if name == "seed":
        raise ConfigError("search: seed is luck and nothing to search; seeds: 3 repeats every combination")
    if isinstance(given, Mapping):
        return _range(name, given)
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) > 1:
        return tuple(given)
    raise ConfigError(f"search: {name} is {given!r}: give a list of at least two values, or {{low: …, high: …}}")


def _range(name: str, given: Mapping[str, Any]) -> Range:
    for key in given:
        if key not in RANGE_KEYS:
            raise ConfigError(f"search: {name} has no {key!r}; a range has {', '.join(RANGE_KEYS)}")
    numbers = {}
    for key in ("low", "high", *(["step"] if given.get("step") is not None else [])):
        value = given.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"search: {name}: {key} is {value!r}: expected a number")
        numbers[key] = value
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise ConfigError(f"search: {name}: log is {log!r}: expected true or false")
    if not numbers["low"] < numbers["high"]:
        raise ConfigError(f"search: {name}: low, {numbers['low']}, must be less than high, {numbers['high']}")
    if log and numbers["low"] <= 0:
        raise ConfigError(f"search: {name}: low is {numbers['low']}, of which there is no logarithm; leave log out")
    if "step" in numbers and (log or numbers["step"] <= 0):
        raise ConfigError(f"search: {name}: step is {numbers['step']}: expected more than 0, and not together with log")
    if whole(numbers["low"], numbers["high"]) and not whole(numbers.get("step", 1)):
        raise ConfigError(f"search: {name}: step is {numbers['step']}, but low and high are whole numbers")
    return Range(numbers["low"], numbers["high"], log, numbers.get("step"))


def whole(*numbers: float) -> bool:
    """Whether all of them are written without a point."""
    return all(isinstance(number, int) for number in numbers)
