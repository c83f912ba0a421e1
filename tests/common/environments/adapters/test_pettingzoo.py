"""PettingZoo's environments through the adapter are what they are alone."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.adapters.pettingzoo import as_parallel
from chorus.common.environments.checks.purity import random_actions
from chorus.common.errors import EnvironmentFault

pytest.importorskip("pettingzoo")


def seeds_for(seed: int, episodes: int) -> list[int]:
    """The seeds that the adapter gives to the episodes of a task, as docs/environments.md has it."""
    return list(map(int, np.random.default_rng(seed).integers(2**31, size=1 + episodes)[1:]))


@pytest.mark.parametrize(
    "name", ["simple_spread_v3", "simple_speaker_listener_v4", "simple_tag_v3", "simple_adversary_v3"]
)
def test_mpe2_through_the_adapter_is_mpe2(name: str) -> None:
    mpe2 = pytest.importorskip(f"mpe2.{name}")
    episodes = 3
    ours = make(f"pettingzoo:mpe2.{name}?max_cycles=12")
    assert ours.spec.package.startswith("mpe2 ") and ours.spec.max_steps == 12
    theirs = [mpe2.parallel_env(max_cycles=12) for _ in range(episodes)]
    frame = ours.reset(episodes, np.random.default_rng(5))
    names = [agent.name for agent in ours.spec.agents]
    seen = [single.reset(seed=seed)[0] for single, seed in zip(theirs, seeds_for(5, episodes), strict=True)]
    draw = np.random.default_rng(6)
    for step in range(12):
        for k, observations in enumerate(seen):
            for i, agent in enumerate(names):
                size = len(observations[agent])
                np.testing.assert_array_equal(frame.observations[k, i, :size], observations[agent])
                assert not frame.observations[k, i, size:].any()
        assert frame.present.all()
        actions = random_actions(ours.spec, frame, draw)
        outcome = ours.step(actions)
        seen = []
        for k, single in enumerate(theirs):
            observations, rewards, _, _, _ = single.step({a: int(actions[k, i, 0]) for i, a in enumerate(names)})
            seen.append(observations)
            assert outcome.rewards[k].tolist() == pytest.approx([rewards[agent] for agent in names], rel=1e-6)
        frame = outcome.frame
        assert outcome.truncated.all() == outcome.over.all() == (step == 11)
    assert not frame.present.any()


def test_continuous_actions_are_taken() -> None:
    pytest.importorskip("mpe2")
    environment = make("pettingzoo:mpe2.simple_spread_v3?N=2&continuous_actions=true")
    assert environment.spec.agents[0].bounds == ((0.0, 1.0),) * 5 and not environment.spec.discrete
    frame = environment.reset(2, np.random.default_rng(0))
    outcome = environment.step(random_actions(environment.spec, frame, np.random.default_rng(1)))
    assert outcome.frame.present.all()


@pytest.mark.parametrize("spec", ["pettingzoo:classic.tictactoe_v3", "pettingzoo:classic/tictactoe-v3"])
def test_a_game_in_turns_shows_the_board_only_to_the_one_to_move(spec: str) -> None:
    environment = make(spec)
    frame = environment.reset(1, np.random.default_rng(0))
    assert environment.spec.action_masks and environment.spec.agents[0].observation_shape == (3, 3, 2)
    # player 1 takes the first column, player 2 two of the second: 1 wins with the fifth move, while 2 is absent
    for move, place in enumerate([0, 3, 1, 4, 2]):
        mover = move % 2
        assert frame.present[0].tolist() == [mover == 0, mover == 1]
        assert frame.action_mask is not None and frame.action_mask[0, mover, place]
        actions = np.zeros((1, 2, 1), np.int32)
        actions[0, mover] = place
        outcome = environment.step(actions)
        frame = outcome.frame
        if move < 4:
            assert not outcome.terminated.any() and not outcome.rewards.any()
    assert outcome.rewards[0].tolist() == [1, -1], "the loser is told at the move that beats it"
    assert outcome.terminated[0].tolist() == [True, True] and outcome.over.all()


def test_agents_that_die_in_mid_episode_stay_dead_while_others_play_on() -> None:
    pytest.importorskip("pygame")
    environment = make("pettingzoo:butterfly.knights_archers_zombies_v11?max_cycles=300&spawn_delay=4")
    draw = np.random.default_rng(2)
    frame = environment.reset(1, draw)
    present, mid_episode_deaths = frame.present.copy(), 0
    for _ in range(300):
        outcome = environment.step(random_actions(environment.spec, frame, draw))
        died = outcome.terminated | outcome.truncated
        np.testing.assert_array_equal(outcome.frame.present, present & ~died & ~outcome.over[:, None])
        mid_episode_deaths += int((died & ~outcome.over[:, None]).sum())
        frame, present = outcome.frame, outcome.frame.present.copy()
        if outcome.over.all():
            break
    assert outcome.over.all() and mid_episode_deaths


def test_an_aec_environment_in_rounds_goes_through_pettingzoos_own_conversion() -> None:
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    from pettingzoo.utils.conversions import aec_to_parallel_wrapper

    assert isinstance(as_parallel(spread.env()), aec_to_parallel_wrapper)


def test_the_first_episode_can_be_filmed_where_the_environment_can_draw() -> None:
    pytest.importorskip("mpe2")
    environment = make("pettingzoo:mpe2.simple_spread_v3", render=True)
    environment.reset(2, np.random.default_rng(0))
    picture = environment.render()
    assert picture is not None and picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 0
    silent = make("pettingzoo:mpe2.simple_spread_v3")
    silent.reset(2, np.random.default_rng(0))
    assert silent.render() is None


def test_ataris_games_come_from_ale_py() -> None:
    pytest.importorskip("multi_agent_ale_py")
    pytest.importorskip("ale_py")
    environment = make("pettingzoo:atari.boxing_v2?obs_type=ram&max_cycles=9")
    assert environment.spec.agents[0].raw and environment.spec.agents[0].observation_shape == (128,)
    assert environment.spec.max_steps == 9
    frame = environment.reset(2, np.random.default_rng(0))
    outcome = environment.step(random_actions(environment.spec, frame, np.random.default_rng(1)))
    assert outcome.frame.present.all() and outcome.frame.observations.any()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("pettingzoo:mpe2.simple_spred_v3", ["simple_spred_v3", "did you mean 'simple_spread_v3'"]),
        ("pettingzoo:mpe2.simple_spread_v3?n=3", ["n=3", "did you mean 'N'"]),
        ("pettingzoo:mpe2.simple_spread_v3?N=none", ["N=none", "refuses its settings"]),
        ("pettingzoo:sisl/pursuit-v4", ["sisl/pursuit-v4", "did you mean 'sisl/pursuit-v5'"]),
        ("pettingzoo:nowhere.game_v1", ["nowhere.game_v1", "'nowhere'"]),
        ("pettingzoo:chorus.common.errors", ["neither parallel_env nor env"]),
    ],
)
def test_what_cannot_be_made_is_explained(spec: str, words: list[str]) -> None:
    pytest.importorskip("mpe2")
    with pytest.raises(EnvironmentFault) as fault:
        make(spec)
    for word in words:
        assert word in str(fault.value)


@pytest.mark.parametrize(
    ("spec", "missing", "remedy"),
    [
        ("pettingzoo:mpe2.simple_spread_v3", "mpe2", "pip install mpe2"),
        ("pettingzoo:classic.tictactoe_v3", "pettingzoo", "pip install pettingzoo"),
        ("gymnasium:CartPole-v1", "gymnasium", "pip install gymnasium"),
        ("gymnasium:rware-tiny-2ag-v2", "rware", "pip install rware"),
        ("vmas:navigation", "torch", "pip install torch"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    spec: str, missing: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    finder: Any = types.SimpleNamespace(find_spec=lambda name, path, target=None: _refuse(name, missing))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    with pytest.raises(EnvironmentFault, match=f"{missing} is not installed; {remedy}"):
        make(spec)


def _refuse(name: str, missing: str) -> None:
    if name.partition(".")[0] == missing:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_no_adapter_but_vmas_loads_torch() -> None:
    pytest.importorskip("mpe2")
    code = (
        "import sys\n"
        "from chorus.common.environments import make\n"
        "make('pettingzoo:mpe2.simple_spread_v3')\n"
        "assert 'torch' not in sys.modules and 'vmas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
