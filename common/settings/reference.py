"""Every setting as plain data: its name, type in words, default, range and meaning.

Read from the types in `sections.py` and from the `Attributes` of their docstrings, so that a setting is described in
one place. The documentation's settings page and the commands that print settings are made of this.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from chorus.common.settings.config import Config
from chorus.common.settings.schedule import Schedule


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: as `--set` takes it, for example `loss.entropy`.
        kind: its type in words, for example `number, or a schedule`.
        default: its default as YAML writes it; `null` where it is left to the run or is off.
        range: the values that it may take, for example `at least 1`; empty where the type says all.
        meaning: what it does, from the docstring of its section.
    """

    name: str
    kind: str
    default: str
    range: str
    meaning: str


@dataclass(frozen=True)
class SettingSection:
    """A section of the configuration.

    Attributes:
        name: for example `loss`; empty for the settings that belong to no section.
        meaning: the first sentence or two of its docstring.
        settings: in the order in which they are declared.
    """

    name: str
    meaning: str
    settings: tuple[Setting, ...]


@functools.cache
def sections() -> tuple[SettingSection, ...]:
    """Every section of a run's settings: first the settings outside any section, then the sections as declared."""
    return _sections(Config, "")


def find(name: str) -> Setting | None:
    """The setting of this full name, or None."""
    return next((setting for section in sections() for setting in section.settings if setting.name == name), None)


@functools.cache
def schedule() -> SettingSection:
    """The keys of a schedule, which may stand wherever a setting's type is `number, or a schedule`."""
    return _section(Schedule, "")


def _sections(struct: type[msgspec.Struct], name: str) -> tuple[SettingSection, ...]:
    found = [_section(struct, name)]
    for field in _fields(struct):
        if isinstance(field.type, msgspec.inspect.StructType):
            found += _sections(field.type.cls, f"{name}.{field.name}".strip("."))
    return tuple(section for section in found if section.settings)


def _section(struct: type[msgspec.Struct], name: str) -> SettingSection:
    summary, meanings = described(struct)
    choices = {name: _choices(hint) for name, hint in typing.get_type_hints(struct, include_extras=True).items()}
    settings = tuple(
        Setting(
            name=f"{name}.{field.name}".strip("."),
            kind=_kind(field.type),
            default=_default(field),
            range=_range(field.type, choices.get(field.name, ())),
            meaning=meanings.get(field.name, ""),
        )
        for field in _fields(struct)
        if not isinstance(field.type, msgspec.inspect.StructType)
    )
    return SettingSection(name, summary, settings)


def _fields(struct: type[msgspec.Struct]) -> tuple[msgspec.inspect.Field, ...]:
    kind = msgspec.inspect.type_info(struct)
    if not isinstance(kind, msgspec.inspect.StructType):
        raise TypeError(f"{struct.__name__} is {kind}: expected a struct of settings")
    return kind.fields


def described(struct: type) -> tuple[str, dict[str, str]]:
    """The text of a class's docstring above `Attributes:`, and the meaning of each attribute, each on one line."""
    head, _, listed = inspect.cleandoc(struct.__doc__ or "").partition("Attributes:")
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n {4}(?=\w+:)", "\n" + listed.strip("\n")):
        name, colon, text = entry.strip().partition(":")
        if colon:
            meanings[name] = " ".join(text.split())
    return " ".join(head.split()), meanings


def _default(field: msgspec.inspect.Field) -> str:
    value: Any = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT:
        return ""
    text = yaml.safe_dump(msgspec.to_builtins(value), default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


def _kind(kind: msgspec.inspect.Type) -> str:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            *others, last = (_kind(each) for each in types)
            return f"{', '.join(others)}, or {last}"
        case msgspec.inspect.IntType():
            return "whole number"
        case msgspec.inspect.FloatType():
            return "number"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.StrType():
            return "text"
        case msgspec.inspect.NoneType():
            return "null"
        case msgspec.inspect.LiteralType():
            return "choice"
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return f"list, each a {_kind(item)}"
        case msgspec.inspect.TupleType(item_types=items):
            return f"list of {' and '.join(_kind(item) for item in items)}"
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return f"mapping from {_kind(key)} to {_kind(value)}"
        case msgspec.inspect.StructType(cls=cls) if cls is Schedule:
            return "a schedule"
        case msgspec.inspect.StructType():
            return "settings"
    raise TypeError(f"a setting of type {kind}: say in common/settings/reference.py how to call it")


def _choices(hint: Any) -> tuple[Any, ...]:
    """The words that a type allows, in the order of the declaration (msgspec sorts them)."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return tuple(word for part in typing.get_args(hint) for word in _choices(part))


def _range(kind: msgspec.inspect.Type, choices: tuple[Any, ...]) -> str:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return "; ".join(text for each in types if (text := _range(each, choices)))
        case msgspec.inspect.LiteralType():
            return ", ".join(f"`{choice}`" for choice in choices)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return _bounds(kind)
        case msgspec.inspect.StrType(pattern=pattern) if pattern:
            return f"matches `{pattern}`"
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return f"each {text}" if (text := _range(item, choices)) else ""
    return ""


def _bounds(number: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    bounds = {"at least": number.ge, "greater than": number.gt, "at most": number.le, "less than": number.lt}
    return " and ".join(f"{words} {_plain(bound)}" for words, bound in bounds.items() if bound is not None)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)
