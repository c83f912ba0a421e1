"""What an actor may import when somebody else says what to play."""

import pytest

from chorus.common.environments.permitted import permit
from chorus.common.errors import Refused


@pytest.mark.parametrize("spec", ["spread?agents=3", "pettingzoo:mpe2.simple_spread_v3?N=3", "vmas:navigation"])
def test_what_chorus_brings_with_it_is_always_permitted(spec: str) -> None:
    permit(spec, ())


@pytest.mark.parametrize(
    ("spec", "allowed", "permitted"),
    [
        ("games.chess:make", (), False),
        ("games.chess:make?size=8", ("games.chess:make",), True),
        ("games.chess:make", ("games.*",), True),
        ("games.chess:make", ("games.chess",), False),
        ("os:system", ("games.*",), False),
        ("gamesX.chess:make", ("games.*",), False),
    ],
)
def test_a_factory_of_ones_own_must_be_allowed(spec: str, allowed: tuple[str, ...], permitted: bool) -> None:
    if permitted:
        permit(spec, allowed)
    else:
        with pytest.raises(Refused, match="--allow-env"):
            permit(spec, allowed)
