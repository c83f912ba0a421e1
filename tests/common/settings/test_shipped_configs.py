"""The configurations that come along say only where they leave the defaults, and are shaped to no measuring point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chorus.common.settings.config import check
from chorus.common.settings.plain import read
from chorus.common.settings.schedule import Schedule

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
MOST_KEYS = 6
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def leaves(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every setting by its whole name; a schedule, and the patterns of a section, are one."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and "kind" not in value and name not in ("opponents", "sharing.groups"):
            found |= leaves(value, f"{name}.")
        else:
            found[name] = value
    return found


@every_config
def test_it_is_valid_and_names_its_environment(path: Path) -> None:
    assert check(read(path)).environment.spec
    assert path.read_text().startswith("# "), "what is it?"


@every_config
def test_it_leaves_the_defaults_in_few_places_and_keeps_the_memory(path: Path) -> None:
    given = leaves(read(path))
    assert len(given) <= MOST_KEYS
    assert given.get("network.memory", "lstm") == "lstm"
    defaults = leaves(read_defaults())
    for name, value in given.items():
        assert value != defaults.get(name), f"{name} is what the default is"


def read_defaults() -> dict[str, Any]:
    from chorus.common.settings.config import to_dict

    return to_dict(check({}))


@every_config
def test_no_schedule_bends_and_no_weight_changes_its_sign(path: Path) -> None:
    config = check(read(path))
    for value in (
        config.loss.entropy,
        config.optimiser.learning_rate,
        config.reward.individual,
        config.reward.team,
    ):
        if isinstance(value, Schedule):
            assert value.kind != "steps" and value.start >= 0.0 and value.end >= 0.0
        else:
            assert value is None or value >= 0.0
