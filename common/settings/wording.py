"""What is wrong with a setting, in words: msgspec's faults made readable, misspelt names answered, and where it was
written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

LIKENESS = 0.6
"""Names less alike than this are not what was meant."""

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "null": "null",
    "object": "a mapping",
    "array": "a list",
}
ELSEWHERE = {
    "lr": "optimiser.learning_rate",
    "gamma": "loss.discount",
    "hidden": "network.encoder and network.lstm",
    "hidden_size": "network.encoder and network.lstm",
    "batch_size": "task.episodes and update.tasks",
    "optimizer": "optimiser",
    "ent_coef": "loss.entropy",
    "gae_lambda": "value.trace",
    "max_grad_norm": "optimiser.clip",
}
"""What other libraries, or Chorus once, called it."""

_DEVICE = "cpu, cuda or cuda:1"
_SCHEDULE = "a schedule such as {kind: linear, start: 1, end: 0}"


def explain(fault: str, settings: Mapping[str, Any], root: type[msgspec.Struct]) -> str:
    """msgspec says ``Expected ... - at `$.section.key` ``: name the setting, its value, and what may stand there."""
    message, _, place = fault.partition(" - at `$")
    path = place.strip("`.").split("[")[0].split(".") if place.strip("`.") else []
    if not path:
        return message
    value: Any = settings
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    kind = _kind(root, path)
    if message.startswith("Invalid enum value") and (choices := _choices(kind)):
        message = f"expected one of {', '.join(choices)}"
    elif message.startswith("Object contains unknown field"):
        known = [field.name for member in _members(kind) if _is_struct(member) for field in _fields(member)]
        name = message.partition("`")[2].rstrip("`")
        message = f"there is no field {name!r}; the fields are {', '.join(known)}"
    else:
        message = _plain(message)
    return f"{'.'.join(path)} is {value!r}: {message[0].lower()}{message[1:]}"


def _plain(message: str) -> str:
    """msgspec's names of types as people call them."""
    expected, got, actual = message.partition(", got ")
    if "matching regex '^(cpu|cuda" in expected:
        return f"expected {_DEVICE}"

    def words(match: re.Match[str]) -> str:
        kinds = match[1].split(" | ")
        names = [_SCHEDULE if kind == "object" and len(kinds) > 1 else _WORDS.get(kind, kind) for kind in kinds]
        return " or ".join(names)

    expected = re.sub(r"`([^`]*)`", words, expected).replace(" >= ", " of at least ").replace(" <= ", " of at most ")
    expected = expected.replace(" > ", " greater than ").replace(" < ", " less than ")
    return expected + (f", got {re.sub(r'`([^`]*)`', words, actual)}" if got else "")


def unknown(key: str, section: str, known: Iterable[str], every: Iterable[str]) -> str:
    """The answer to a setting that there is not.

    Args:
        key: its name, without its section.
        section: what it was written under, `loss.` or nothing.
        known: the names under that section.
        every: all settings by their whole names.
    """
    written, names, everywhere = f"{section}{key}", list(known), list(every)
    if written in everywhere:  # `loss.entropy: 0.1` as one key of a file
        head, _, last = written.rpartition(".")
        return f"{written!r} is written as one key: write `{head}:` and, indented below it, `{last}:`"
    near = difflib.get_close_matches(key, names, n=1, cutoff=LIKENESS)
    if near:
        return f"unknown setting {written}; the nearest is {section}{near[0]}"
    elsewhere = [name for name in everywhere if name.rpartition(".")[2] == key]
    elsewhere = elsewhere or [ELSEWHERE[word] for word in (key,) if word in ELSEWHERE]
    if elsewhere:
        return f"unknown setting {written}; there is {' and '.join(elsewhere)}"
    if section:
        part = section.rstrip(".")
        return f"unknown setting {written}; {part} has {', '.join(names)} (`chorus settings {part}` explains them)"
    return f"unknown setting {written}; `chorus settings` lists all there are"


def with_origin(message: str, origin: Mapping[str, str]) -> str:
    """The message, and where the settings that it names were written, so far as that is known."""
    named = {
        name: where for name, where in origin.items() if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w|\.\w)", message)
    }
    if len(named) > 1:
        return f"{message} ({'; '.join(f'{name}: {where}' for name, where in named.items())})"
    return f"{message} ({next(iter(named.values()))})" if named else message


def names(section: type[msgspec.Struct], prefix: str = "") -> list[str]:
    """All settings under a section by their whole names."""
    found = []
    for field in _fields(section):
        nested = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        found += names(field.type, f"{prefix}{field.name}.") if nested else [f"{prefix}{field.name}"]
    return found


def _fields(section: type[msgspec.Struct]) -> tuple[Any, ...]:
    return msgspec.structs.fields(section)


def _kind(root: type[msgspec.Struct], path: list[str]) -> Any:
    """The type of what stands at a path; None if the path leads nowhere."""
    kind: Any = root
    for key in path:
        structs = [member for member in _members(kind) if _is_struct(member)]
        types = [field.type for struct in structs for field in _fields(struct) if field.name == key]
        if not types:
            return None
        kind = types[0]
    return kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _members(kind: Any) -> list[Any]:
    """A union's members, or the type itself."""
    if get_origin(kind) in (Union, UnionType):
        return list(get_args(kind))
    return [kind]


def _choices(kind: Any) -> list[str]:
    return [str(choice) for member in _members(kind) if get_origin(member) is Literal for choice in get_args(member)]
