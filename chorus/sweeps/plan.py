"""What a sweep consists of: the settings that all runs share, those that vary, and the seeds. Pure.

config: spread.yaml                       # settings of all runs, from a file beside this one; may be left out
settings: { updates: 100 }                # and others, in place of the file's; may be left out
vary:                                     # every combination is run
  optimiser.learning_rate: [1e-3, 3e-3]
  sharing.mode: [all, none]
seeds: 5                                  # with each of the seeds 0 to 4; or a list of seeds
actors: 1                                 # actor processes of each run; may be left out

or, in the place of `vary`, a `search` (`search.py`).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from chorus.common.errors import ConfigError
from chorus.common.settings import config as configuration
from chorus.common.settings.plain import read
from chorus.sweeps.search import Choice, Search, parse_search

KEYS = ("config", "settings", "vary", "search", "seeds", "actors")
NAME_LENGTH = 60
MOST_TRIALS = 100_000


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: the name of its folder, and its settings, whole."""

    name: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        settings: what all runs share, by section.
        vary: setting by its full name to the values that it takes.
        seeds: of the runs of every combination.
        actors: actor processes of each run.
        search: what chooses the combinations in the place of `vary`; None for none.
    """

    settings: dict[str, Any]
    vary: dict[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    actors: int = 1
    search: Search | None = None

    @property
    def count(self) -> int:
        """How many runs there are in all."""
        combinations = prod(map(len, self.vary.values())) if self.search is None else self.search.combinations
        return combinations * len(self.seeds)

    def trials(self) -> list[Trial]:
        """Every run of a sweep that varies, in order: combinations in the order of the file, each with all seeds.

        Raises:
            ConfigError: the settings of one are impossible, or a search decides as it goes which there are.
        """
        if self.search is not None:
            raise ConfigError(
                "a search decides as it goes which runs it does: they have no numbers beforehand, and a cluster's array"
                " cannot share them out; run it as one job, `chorus sweep FILE --out DIR`"
            )
        combinations = [dict(zip(self.vary, values, strict=True)) for values in product(*self.vary.values())]
        return [trial for number, chosen in enumerate(combinations) for trial in self.trials_of(number, chosen)]

    def trials_of(self, number: int, chosen: Choice) -> list[Trial]:
        """The runs of one combination, one for each seed.

        Raises:
            ConfigError: its settings are impossible.
        """
        found = []
        for seed in self.seeds:
            settings = copy.deepcopy(self.settings)
            for name, value in [*chosen.items(), ("seed", seed)]:
                _put(settings, name, value)
            configuration.check(copy.deepcopy(settings))
            found.append(Trial(_name(number, chosen, seed), settings))
        return found

    def plain(self) -> dict[str, Any]:
        """The plan as plain values, from which `parse` makes it again."""
        return {
            "settings": self.settings,
            "vary": {name: list(values) for name, values in self.vary.items()},
            "seeds": list(self.seeds),
            "actors": self.actors,
            **({} if self.search is None else {"search": self.search.plain()}),
        }


def parse(given: Mapping[str, Any], beside: Path = Path()) -> Plan:
    """The plan that plain values describe; `beside` is the folder that `config` is sought in.

    Raises:
        ConfigError: something is unknown, of the wrong kind, or would make no run or too many.
    """
    for key in given:
        if key not in KEYS:
            raise ConfigError(f"a sweep has no {key!r}; it has {', '.join(KEYS)}")
    settings = read(beside / str(given["config"])) if given.get("config") else {}
    settings.pop("run", None)
    for name, value in _mapping(given, "settings").items():
        _merge(settings, name, value)
    vary = {}
    for name, values in _mapping(given, "vary").items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise ConfigError(f"vary: {name} is {values!r}: give a list of values, for example [1e-3, 3e-3]")
        if name == "seed":
            raise ConfigError("vary: seed is varied by seeds: 5, or by seeds: [1, 2, 3]")
        vary[str(name)] = tuple(values)
    search = parse_search(given["search"]) if given.get("search") is not None else None
    if search is not None and vary:
        raise ConfigError("vary and search: give one of the two; a list of values under search: over: is searched too")
    plan = Plan(settings, vary, _seeds(given.get("seeds", 1)), _count("actors", given.get("actors", 1)), search)
    if plan.count > MOST_TRIALS:
        raise ConfigError(f"this sweep would be {plan.count} runs; more than {MOST_TRIALS} are a mistake")
    if search is None:
        plan.trials()
    else:
        for number, chosen in enumerate(search.extremes()):
            plan.trials_of(number, chosen)
    return plan


def _mapping(given: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = given.get(key) or {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}: write `{key}:` and below it, indented, `section.setting: value`")
    return value


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} is {value!r}: expected an integer of at least 1")
    return value


def _seeds(value: Any) -> tuple[int, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value or any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in value):
            raise ConfigError(f"seeds is {value!r}: give a list of integers of at least 0, or how many")
        if len(set(value)) < len(value):
            raise ConfigError(f"seeds is {value!r}: a seed stands there twice, which would be the same run twice")
        return tuple(value)
    return tuple(range(_count("seeds", value)))


def _merge(settings: dict[str, Any], name: str, value: Any) -> None:
    """Put a setting, or all of a section."""
    if isinstance(value, Mapping) and name in configuration.sections():
        for key, part in value.items():
            _put(settings, f"{name}.{key}", part)
    else:
        _put(settings, name, value)


def _put(settings: dict[str, Any], name: str, value: Any) -> None:
    *sections, key = str(name).split(".")
    place = settings
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{name}: {section!r} is a value, not a section")
    place[key] = value


def _name(number: int, chosen: Mapping[str, Any], seed: int) -> str:
    """`003-learning_rate-0.001-mode-all-seed-2`: the number alone tells combinations apart, the rest is for people."""
    words = "-".join(
        f"{name.rpartition('.')[2]}-{f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in chosen.items()
    )
    words = re.sub(r"[^A-Za-z0-9._]+", "-", words)[:NAME_LENGTH].strip("-.")
    return "-".join(part for part in (f"{number:03d}", words, f"seed-{seed}") if part)
