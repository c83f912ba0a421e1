"""Settings as plain values: read from YAML and `key=value`, complained of by name, compared.

What they mean, and which of them there are, is `common/settings/config.py`'s.
"""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from chorus.common.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes `1e-3` for a word; people mean a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def scalar(text: str) -> Any:
    """A value as YAML reads it.

    Raises:
        ConfigError: the text is no YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader with one more number format)
    except yaml.YAMLError as fault:
        raise ConfigError(f"{text!r} is not a YAML value: {fault}") from fault


def read(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, not yet checked.

    Raises:
        ConfigError: the file cannot be read or is no mapping.
    """
    try:
        settings = scalar(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigError) as fault:
        raise ConfigError(f"{path}: {fault}") from fault
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(settings).__name__}")
    return settings


def override(settings: dict[str, Any], assignment: str) -> None:
    """Set one `section.key=value` in place.

    Raises:
        ConfigError: the assignment has no `=`, or descends into something that is no section.
    """
    path, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigError(f"--set {assignment!r}: write key=value, for example loss.entropy=0.01")
    *sections, key = path.strip().split(".")
    place = settings
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {assignment!r}: {section!r} is a value, not a section")
    place[key] = scalar(text)


def refuse_infinite(value: Any, place: str) -> None:
    """No setting means anything when it is a NaN or an infinity, schedules' included.

    Raises:
        ConfigError: one is; `place` names it.
    """
    if isinstance(value, float) and not isfinite(value):
        raise ConfigError(f"{place} is {value}: expected a finite number")
    if isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            refuse_infinite(part, place)


def explain(fault: str, settings: dict[str, Any]) -> str:
    """msgspec says `Expected ... - at `$.section.key``: name the setting and its value."""
    message, _, place = fault.partition(" - at `$")
    path = place.strip("`.").split("[")[0].split(".") if place.strip("`.") else []
    value: Any = settings
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return f"{'.'.join(path)} is {value!r}: {message[0].lower()}{message[1:]}" if path else message


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where settings differ, as `section.key: ours, theirs`; `path` is the section that they are of."""
    if ours == theirs:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted(ours.keys() | theirs.keys())
        return [
            line for key in keys for line in differences(ours.get(key), theirs.get(key), f"{path}.{key}".strip("."))
        ]
    return [f"{path}: {ours!r}, {theirs!r}"]
