"""The settings as data: complete, described, and true to what the configuration accepts."""

from __future__ import annotations

import re

import pytest

from chorus.common.errors import ConfigError
from chorus.common.settings.config import check, to_dict
from chorus.common.settings.plain import override, scalar
from chorus.common.settings.reference import Setting, find, schedule, sections

SETTINGS = [setting for section in sections() for setting in section.settings]


def written(assignment: str) -> dict[str, object]:
    """The whole configuration, as plain values, with one setting given."""
    settings: dict[str, object] = {}
    override(settings, assignment)
    return to_dict(check(settings))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_says_what_it_means_and_has_the_default_that_it_says(setting: Setting) -> None:
    assert setting.kind and len(setting.meaning) > 10 and setting.meaning.endswith(".")
    value: object = to_dict(check({}))
    for key in setting.name.split("."):
        assert isinstance(value, dict)
        value = value[key]
    default = scalar(setting.default)
    assert (list(value) if isinstance(value, tuple) else value) == default
    if "`null`" in setting.meaning:
        assert "null" in setting.kind


def test_every_setting_of_a_run_is_there_once_and_every_section_says_what_it_is() -> None:
    names = [setting.name for setting in SETTINGS]
    leaves = []
    for key, value in to_dict(check({})).items():
        leaves += [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
    assert sorted(names) == sorted(leaves) and all(section.meaning for section in sections())


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.kind.startswith("choice")], ids=lambda s: s.name)
def test_the_choices_named_are_those_accepted(setting: Setting) -> None:
    choices = re.findall(r"`([^`]+)`", setting.range)
    assert len(choices) >= 2
    for choice in choices:
        try:
            assert choice in str(written(f"{setting.name}={choice}"))
        except ConfigError as fault:  # some choices ask for another setting beside them; none is unknown
            assert "expected one of" not in str(fault)
    with pytest.raises(ConfigError, match="expected one of"):
        written(f"{setting.name}=elsewise")


@pytest.mark.parametrize(
    "setting", [s for s in SETTINGS if re.match("at least|greater", s.range)], ids=lambda s: s.name
)
def test_the_bounds_named_are_those_held(setting: Setting) -> None:
    bounds = dict(re.findall(r"(at least|greater than|at most|less than) (\d+)", setting.range))
    least = int(bounds["at least" if "at least" in bounds else "greater than"])
    with pytest.raises(ConfigError, match=re.escape(setting.name)):
        written(f"{setting.name}={least if 'greater than' in bounds else least - 1}")
    for word in {"at most", "less than"} & bounds.keys():
        too_much = int(bounds[word]) + (word == "at most")
        with pytest.raises(ConfigError, match=re.escape(setting.name)):
            written(f"{setting.name}={too_much}")


def test_one_setting_in_full() -> None:
    assert find("loss.pool") == Setting(
        name="loss.pool",
        kind="choice",
        default="agent",
        range="`agent`, `group`",
        meaning="whose returns the leave-one-out baseline averages: the same agent's (`agent`), or those of all agents"
        " with the same policy (`group`).",
    )
    assert find("loss.pol") is None


def test_a_schedules_keys_are_described_too() -> None:
    assert [setting.name for setting in schedule().settings] == ["kind", "start", "end", "over", "at"]
    assert all(setting.meaning for setting in schedule().settings)
