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

SHOWN = 60
"""Length to which a value that cannot be read is quoted in the message."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes `1e-3` for a word; people mean a number. And a key that is there twice is a slip, not a choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping, once its keys have been seen to be unlike."""
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            name, line = key.value, key.start_mark.line + 1
            if name in lines:
                where = f"on lines {lines[name]} and {line}" if line != lines[name] else f"on line {line}"
                raise yaml.MarkedYAMLError(problem=f"{name!r} is given twice, {where}; keep one of them")
            lines[name] = line
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Puts a word in quotes that would be read back as such a number."""


for _way in (_Loader, _Dumper):
    _way.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )


def text(settings: dict[str, Any]) -> str:
    """Settings as YAML, which `read` reads back as they were."""
    return str(yaml.dump(settings, Dumper=_Dumper, sort_keys=False))


def scalar(text: str) -> Any:
    """A value as YAML reads it.

    Raises:
        ConfigError: the text is no YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader with one more number format)
    except yaml.YAMLError as fault:
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
        raise ConfigError(f"{shown!r} is not a YAML value: {_problem(fault)}") from fault


def _problem(fault: yaml.YAMLError) -> str:
    """What YAML complains of, in one line, with the line where it does."""
    if not isinstance(fault, yaml.MarkedYAMLError):
        return " ".join(str(fault).split())
    problem, mark = fault.problem or "it cannot be read", fault.problem_mark
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented by spaces alone"
    return f"line {mark.line + 1}: {problem}" if mark else problem


def read(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, not yet checked.

    Raises:
        ConfigError: the file cannot be read or is no mapping.
    """
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 (as above)
    except yaml.YAMLError as fault:
        raise ConfigError(f"{path} is not YAML: {_problem(fault)}") from fault
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror or fault}") from fault
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{path} is not a text in UTF-8: {fault.reason} at byte {fault.start}") from fault
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(settings).__name__}")
    return settings


def lines(path: Path) -> dict[str, int]:
    """The line on which each setting of a YAML file stands, by its dotted name; of a file that `read` has read."""
    found: dict[str, int] = {}

    def walk(node: yaml.Node | None, prefix: str) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = f"{prefix}{key.value}"
            found[name] = key.start_mark.line + 1
            walk(value, f"{name}.")

    walk(yaml.compose(path.read_text(encoding="utf-8"), _Loader), "")
    return found


def override(settings: dict[str, Any], assignment: str) -> None:
    """Set one `section.key=value` in place.

    Raises:
        ConfigError: the assignment has no `=`, or descends into something that is no section.
    """
    path, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigError(f"--set {assignment!r}: write key=value, for example --set loss.entropy=0.01")
    try:
        place(settings, path.strip(), scalar(text))
    except ConfigError as fault:
        raise ConfigError(f"--set {assignment!r}: {fault}") from fault


def place(settings: dict[str, Any], path: str, value: Any) -> None:
    """Set `section.key` in place.

    Raises:
        ConfigError: the path descends into something that is no section.
    """
    *sections, key = path.split(".")
    inside = settings
    for section in sections:
        inside = inside.setdefault(section, {})
        if not isinstance(inside, dict):
            raise ConfigError(f"{section!r} is a value, not a section")
    inside[key] = value


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


def differences(ours: Any, theirs: Any) -> list[str]:
    """Where settings differ, as `section.key: ours, theirs`."""
    return [f"{name}: {our!r}, {their!r}" for name, (our, their) in unlike(ours, theirs).items()]


def unlike(ours: Any, theirs: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Both values of every setting that differs, by its whole name; `path` is the section that they are of."""
    if ours == theirs:
        return {}
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return {path: (ours, theirs)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted(ours.keys() | theirs.keys()):
        found |= unlike(ours.get(key), theirs.get(key), f"{path}.{key}".strip("."))
    return found
