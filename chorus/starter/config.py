"""The commented configuration that `chorus init` writes: a few settings given, all others there with their defaults."""

from __future__ import annotations

import textwrap

from chorus.common.settings.reference import Setting, SettingSection, sections

GIVEN = {"environment.spec": "my_team:MyTeam", "updates": "200"}
"""The settings that stand in the file uncommented, as YAML writes them."""
WIDTH = 110

HEAD = """\
## Settings of a run: `chorus train --config config.yaml`. Every setting is here with its meaning and its default.
## A line with one `#` is a setting left at its default. To change it, take the `#` away, and that of the section's
## name above it. The command line comes before this file: `--set loss.entropy=0.02`. Where the type is
## "number, or a schedule", you may also write, for example, {kind: linear, start: 0.02, end: 0.001, over: 150}.
"""


def text() -> str:
    """The whole file."""
    return HEAD + "".join(f"\n{_section(section)}" for section in sections())


def _section(section: SettingSection) -> str:
    used = [setting for setting in section.settings if setting.name in GIVEN]
    lines = _comment(section.meaning, "")
    if section.name:
        lines.append(f"{'' if used else '# '}{section.name}:")
    for setting in section.settings:
        lines += _setting(setting, "  " if section.name else "")
    return "\n".join(lines) + "\n"


def _setting(setting: Setting, indent: str) -> list[str]:
    kind = f"({setting.kind}{f': {setting.range}' if setting.range else ''})"
    key = setting.name.rpartition(".")[2]
    given = GIVEN.get(setting.name)
    line = f"{indent}{key}: {given}" if given is not None else f"# {indent}{key}: {setting.default}"
    return [*_comment(f"{key}: {setting.meaning} {kind}", indent), line]


def _comment(words: str, indent: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=f"## {indent}", subsequent_indent=f"## {indent}")
