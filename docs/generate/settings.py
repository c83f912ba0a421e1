"""The page of settings, from the types and docstrings of `common/settings/sections.py`."""

from __future__ import annotations

from chorus.common.settings.reference import SettingSection, schedule, sections
from docs.generate.markdown import code, sentence, table

HEAD = """# Settings

Generated from `common/settings/sections.py` by `make derived`.

A setting is given in a YAML file (`--config FILE`), or on the command line by its full name, which overrides the file:
`--set loss.entropy=0.02`. A few have an option of their own: `--env` is `environment.spec`; `--updates`, `--seed`,
`--lag` and `--device` are the settings of the same name. The file `config.yaml` in the run folder holds every setting
as the run resolved it.

An unknown name, a wrong type or a value out of range is an error that names the setting. `null` in YAML means "left to
Chorus" or "off", as the setting says. `chorus init` writes a configuration file with all settings in it.
"""

SCHEDULES = """
(schedules)=

## Schedules

Where a type is "number, or a schedule", the setting may change over the updates of a run:

```yaml
loss:
  entropy: {kind: linear, start: 0.02, end: 0.001, over: 300}
optimiser:
  learning_rate: {kind: steps, start: 0.01, at: [[100, 0.003], [200, 0.001]]}
```

"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(_section, sections())) + SCHEDULES + _table(schedule())


def _section(section: SettingSection) -> str:
    title, meaning = (f"`{section.name}`", section.meaning) if section.name else ("General", "Settings of no section.")
    return f"\n## {title}\n\n{meaning}\n\n{_table(section)}"


def _table(section: SettingSection) -> str:
    rows = [
        [code(setting.name), setting.kind, code(setting.default), setting.range, sentence(setting.meaning)]
        for setting in section.settings
    ]
    return table(["setting", "type", "default", "range", "meaning"], rows)
