"""A spec string taken apart: `kind:target?key=value&key=value`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from chorus.common.errors import EnvironmentFault

Value = int | float | bool | str | None

_WORDS: dict[str, Value] = {"true": True, "false": False, "none": None, "null": None}


@dataclass(frozen=True)
class Address:
    """Where an environment is to be found, and with which settings.

    Attributes:
        spec: the whole spec string, as the user wrote it.
        kind: the part before the first colon (`pettingzoo`), or the name of a built-in environment (`spread`).
        target: the part after the colon; empty for a built-in environment.
        settings: what follows the question mark, in the order written.
    """

    spec: str
    kind: str
    target: str
    settings: Mapping[str, Value]

    def integer(self, key: str, default: int, *, least: int) -> int:
        """The setting `key`, which must be a whole number of at least `least`."""
        value = self.settings.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise EnvironmentFault(
                f"environment {self.spec!r}: {key}={value!r} is impossible; give a whole number of at least {least}, "
                f"for example {key}={default}"
            )
        return value

    def allow(self, keys: Iterable[str]) -> None:
        """Refuse any setting that is not among `keys`, naming the nearest that is."""
        known = sorted(keys)
        for key, value in self.settings.items():
            if key not in known:
                raise EnvironmentFault(
                    f"environment {self.spec!r}: unknown setting {key}={value!r}; {nearest(key, known)}"
                )


def parse(spec: str) -> Address:
    """Take a spec string apart.

    A value is a whole number, a decimal number, `true`, `false`, `none`, or else a string. Quotes make a string of
    anything (`'3'`), and `%26` stands for `&` as in a web address.
    """
    head, _, query = spec.strip().partition("?")
    kind, _, target = head.partition(":")
    if not kind:
        raise EnvironmentFault(
            f"environment {spec!r}: the name is missing; write for example spread?agents=3 or "
            "pettingzoo:mpe2.simple_spread_v3?N=3"
        )
    settings: dict[str, Value] = {}
    for item in query.split("&") if query else ():
        key, equals, text = item.partition("=")
        if not key or not equals:
            raise EnvironmentFault(f"environment {spec!r}: {item!r} is not a setting; write key=value, joined by &")
        if key in settings:
            raise EnvironmentFault(f"environment {spec!r}: the setting {key!r} is given twice; keep one of the two")
        settings[key] = scalar(unquote(text))
    return Address(spec, kind, target, MappingProxyType(settings))


def scalar(text: str) -> Value:
    """The value that `text` stands for."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def nearest(word: str, known: Iterable[str]) -> str:
    """The remedy for a misspelt word: the nearest known one, or all of them."""
    words = sorted(known)
    close = [known for known in words if known.lower() == word.lower()] or difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not words:
        return "there are none to set"
    return f"known are {', '.join(words[:20])}{', …' if len(words) > 20 else ''}"
