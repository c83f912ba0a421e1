"""What an actor may import when somebody else says what to play."""

import sys

import pytest

from chorus.common.environments.permitted import permit, permit_script
from chorus.common.errors import ChorusError, Refused


@pytest.mark.parametrize(
    "spec",
    [
        "spread?agents=3",
        "pettingzoo:mpe2.simple_spread_v3?N=3&continuous_actions=true",
        "pettingzoo:classic.connect_four_v3",
        "pettingzoo:pettingzoo.sisl.pursuit_v4?x_size=16&y_size=16&max_cycles=500",
        "pettingzoo:sisl/pursuit-v5",
        "gymnasium:Foraging-8x8-2p-3f-v3",
        "gymnasium:lbforaging:Foraging-8x8-2p-3f-v3",
        "gymnasium:rware-tiny-2ag-v2",
        "gymnasium:CartPole-v1",
        "pettingzoo:magent2.environments.battle_v4?map_size=16",
        "vmas:navigation?n_agents=3",
        "pettingzoo:mpe2.simple_spread_v3?seed=123456789",
        "vmas:navigation?random_seed=4294967295&n_agents=4",
        "vmas:navigation?collision_penalty=-1e12&finalReward=1e9",
        "vmas:navigation?from_start=near",  # no ROM
        "vmas:navigation?subclassical=near&profile=fast&direction=left&curl=low&important=yes",
        "pettingzoo:atari.pong_v3?auto_rom_install_path=none",  # names nothing
        "vmas:navigation?file=3",  # a number names nothing
    ],
)
def test_what_chorus_names_itself_is_always_permitted(spec: str) -> None:
    permit(spec, ())


@pytest.mark.parametrize(
    "spec",
    [
        "pettingzoo:evilmod",
        "pettingzoo:evilmod.simple_v1",
        "pettingzoo:os",
        "pettingzoo:.evilmod",  # relative
        "pettingzoo:..sisl.pursuit_v4",
        "pettingzoo:mpe2..evil_v1",
        "pettingzoo:mpe2.evil.simple_v3",
        "pettingzoo:mpe2",  # a family is not an environment
        "pettingzoo: evilmod",
        "pettingzoo:mpe2.simple_spread_v3 ;evil",
        "pettingzoo:MPE2.simple_spread_v3",  # another case is another module
        "PettingZoo:mpe2.simple_spread_v3",
        "pettingzoo:mpе2.simple_spread_v3",  # a Cyrillic е
        "pettıngzoo:mpe2.simple_spread_v3",
        "pettingzoo:mpe2%2esimple_spread_v3",
        "pettingzoo:evil%6dod",
        "pettingzoo:evil/simple-v1",
        "pettingzoo:sisl/../evil-v1",
        "pettingzoo:/tmp/evil",
        "pettingzoo:evilmod:env",
        "gymnasium:evilmod:Foraging-8x8-2p-3f-v3",
        "gymnasium:evilmod:Name-v0",
        "gymnasium:Foraging-8x8-2p-3f-v3:Name-v0",
        "gymnasium:os:Name-v0",
        "gymnasium:.rware:rware-tiny-2ag-v2",
        "gymnasium:rware.evil:rware-tiny-2ag-v2",
        "gymnasium:ForagingEvil-v0",
        "vmas:../evil",
        "vmas:/tmp/evil",
        "vmas:evil.navigation",
        "vmas:navigation.py",
        "vmas:__init__",
        "os:system",
        "os.path:join",
        ".os:system",
        "pettingzoo:atari.pong_v3?auto_rom_install_path=/etc",
        "pettingzoo:mpe2.simple_spread_v3?render_mode=os.system",
        "pettingzoo:mpe2.simple_spread_v3?x=%2Fetc%2Fpasswd",
        "pettingzoo:mpe2.simple_spread_v3?x=evil:make",
        "gymnasium:Foraging-8x8-2p-3f-v3?entry_point=evilmod",
        "vmas:navigation?wrapper=evilmod",
        "vmas:navigation?wrappers=evilmod",
        "vmas:navigation?rompath=secrets",
        "vmas:navigation?romPath=secrets",
        "vmas:navigation?ROM=secrets",
        "vmas:navigation?data_dir=secrets",
        "vmas:navigation?filename=secrets",
        "vmas:navigation?CONFIG_FILE=secrets",
        "vmas:navigation?envClass=Evil",
        "vmas:navigation?entrypoint=evilmod",
        "vmas:navigation?submodule=evilmod",
    ],
)
def test_no_other_name_gets_past_the_list_and_nothing_is_imported_to_see_it(spec: str) -> None:
    before = set(sys.modules)
    with pytest.raises(Refused):
        permit(spec, ())
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("spec", "allowed", "permitted"),
    [
        ("games.chess:make", (), False),
        ("games.chess:make?size=8", ("games.chess:make",), True),
        ("games.chess:make", ("games.*",), True),
        ("games.chess:make", ("games.chess",), False),
        ("os:system", ("games.*",), False),
        ("gamesX.chess:make", ("games.*",), False),
        ("games.chess:os.system", ("games.*",), False),
        ("games.chess:Board.make", ("games.chess:Board.make",), True),
        ("games.%63hess:make", ("games.*",), False),
        ("pettingzoo:evilmod", ("pettingzoo:evil*",), True),
        ("pettingzoo:evilmod", ("evilmod*",), False),
        ("pettingzoo:evilmod", ("pettingzoo:Evil*",), False),
        ("pettingzoo:/tmp/evil", ("pettingzoo:*",), False),
        ("gymnasium:mine:Name-v0", ("gymnasium:mine:*",), True),
    ],
)
def test_anything_else_must_be_allowed(spec: str, allowed: tuple[str, ...], permitted: bool) -> None:
    if permitted:
        permit(spec, allowed)
    else:
        with pytest.raises(Refused):
            permit(spec, allowed)


def test_an_opponents_program_must_be_allowed_whatever_it_is() -> None:
    permit_script("players.mine:greedy", ("players.*",))
    for allowed in ((), ("players",), ("pettingzoo:*",)):
        with pytest.raises(Refused, match=r"--allow-env 'players.mine:greedy'"):
            permit_script("players.mine:greedy", allowed)
    with pytest.raises(Refused):
        permit_script("players.mine:os.system", ("players.*",))


def test_a_refusal_names_the_flag_to_give() -> None:
    with pytest.raises(Refused, match=r"--allow-env 'pettingzoo:evilmod'"):
        permit("pettingzoo:evilmod", ())


@pytest.mark.parametrize(
    "spec",
    [
        "spread?agents=100000000",
        "spread?steps=1000000000",
        "spread?agents=20000",
        "spread?agents=1e99",
        "pettingzoo:mpe2.simple_spread_v3?N=100000000",
        "pettingzoo:mpe2.simple_spread_v3?N=1000000&max_cycles=1000000",
        "pettingzoo:mpe2.simple_spread_v3?N=nan",
        "vmas:navigation?n_agents=inf",
        "vmas:navigation?seed_agents=100000000",
        "vmas:navigation?n_seeds=100000000",
        f"spread?agents=1{'0' * 400}",
    ],
)
def test_settings_that_ask_for_absurd_memory_are_refused_before_anything_is_made(spec: str) -> None:
    for allowed in ((), ("*",)):
        with pytest.raises(ChorusError, match="bytes"):
            permit(spec, allowed)
