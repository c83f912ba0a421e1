"""`chorus settings`: every setting with its type, its default and what it means."""

from __future__ import annotations

import argparse
import difflib
import shutil
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chorus.common.settings.reference import Setting, SettingSection

SUMMARY = "list every setting with type, default and meaning"
EXAMPLES = (
    ("Every setting", "chorus settings"),
    ("Those of the loss alone", "chorus settings loss"),
)

LEAST_WIDTH, GREATEST_WIDTH = 60, 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its command line."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="only this section (loss) or setting (loss.entropy); `schedule` for schedules in place of a number",
    )


def run(options: argparse.Namespace) -> int:
    """List them; return the exit code."""
    from chorus.common.settings import reference

    names = options.names or [section.name for section in reference.sections()]
    print("\n\n".join(_answer(name) for name in names))
    if not options.names:
        print("\nSet any by --set NAME=VALUE, or in a file for --config with its section indented above it.")
        print("Where a type says `a schedule`, the value may change over the run: `chorus settings schedule`.")
    return 0


def _answer(name: str) -> str:
    from chorus.common.errors import ConfigError
    from chorus.common.settings import reference

    known = {section.name: section for section in reference.sections()} | {"schedule": reference.schedule()}
    if name in known:
        return _section(known[name], name)
    if (setting := reference.find(name)) is not None:
        return _setting(setting)
    every = [*known, *(setting.name for section in known.values() for setting in section.settings)]
    last = [full for full in every if full.rpartition(".")[2] == name]
    near = last or difflib.get_close_matches(name, every, n=1)
    hint = f"there is {' and '.join(near)}" if near else "`chorus settings` lists all there are"
    raise ConfigError(f"there is no setting or section {name}; {hint}")


def _section(section: SettingSection, name: str) -> str:
    head = f"{name or 'outside any section'}: {section.meaning}"
    return "\n".join([textwrap.fill(head, _width()), *(_setting(setting) for setting in section.settings)])


def _setting(setting: Setting) -> str:
    kind = setting.range.replace("`", "") if setting.kind == "choice" else setting.kind
    limits = f", {setting.range.replace('`', '')}" if setting.range and setting.kind != "choice" else ""
    head = f"  {setting.name} = {setting.default or '(to be given)'}   ({kind}{limits})"
    width = _width()
    return "\n".join(
        [
            textwrap.fill(head, width, subsequent_indent="      "),
            textwrap.fill(setting.meaning, width, initial_indent="      ", subsequent_indent="      "),
        ]
    )


def _width() -> int:
    return max(LEAST_WIDTH, min(GREATEST_WIDTH, shutil.get_terminal_size().columns))
