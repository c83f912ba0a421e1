"""Spec strings: what they mean, and how a wrong one is explained."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chorus.common.environments import make, parse
from chorus.common.errors import EnvironmentFault


def test_a_spec_string_names_a_kind_a_target_and_settings() -> None:
    address = parse("pettingzoo:mpe2.simple_spread_v3?N=3&local_ratio=0.5&continuous_actions=true")
    assert (address.kind, address.target) == ("pettingzoo", "mpe2.simple_spread_v3")
    assert dict(address.settings) == {"N": 3, "local_ratio": 0.5, "continuous_actions": True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("0.5", 0.5), ("1e-3", 1e-3), ("true", True), ("False", False), ("none", None),
        ("null", None), ("tiny", "tiny"), ("'3'", "3"), ("a%26b", "a&b"), ("", ""), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_values_are_the_scalars_that_one_expects(text: str, value: object) -> None:
    found = parse(f"spread?key={text}").settings["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", ["name is missing", "spread?agents=3"]),
        ("spraed", ["spraed", "did you mean 'spread'"]),
        ("spread?agnets=3", ["agnets", "3", "did you mean 'agents'"]),
        ("spread?agents=three", ["agents='three'", "whole number", "agents=3"]),
        ("spread?agents=0", ["agents=0", "at least 1"]),
        ("spread?steps=true", ["steps=True"]),
        ("spread?agents", ["'agents' is not a setting", "key=value"]),
        ("spread?agents=2&agents=3", ["'agents'", "twice"]),
        ("spread:v3", ["built in"]),
        ("pettingzoo:", ["pettingzoo:NAME"]),
    ],
)
def test_a_wrong_spec_string_is_explained_with_its_remedy(spec: str, words: list[str]) -> None:
    with pytest.raises(EnvironmentFault) as fault:
        make(spec)
    for word in words:
        assert word in str(fault.value)


def test_importing_the_environments_loads_none_of_the_packages_they_adapt() -> None:
    code = (
        "import sys, chorus.common.environments, chorus.common.environments.spread\n"
        "chorus.common.environments.make('spread')\n"
        "heavy = {'pettingzoo', 'gymnasium', 'gym', 'vmas', 'torch', 'PIL', 'scipy', 'pygame'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
