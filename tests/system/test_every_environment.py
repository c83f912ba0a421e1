"""The number of actors changes no bit of what is learned, whatever the environment comes from."""

import re
from pathlib import Path

import pytest

from tests.system.processes import ROOT, Chorus, players, rows, weights

SMALL = ("--set", "update.tasks=6", "--set", "network.encoder=16", "--set", "network.lstm=16", "--seed", "5")
QUICK: dict[str, tuple[str, ...]] = {
    "a PettingZoo environment, normalised": (
        "pettingzoo:mpe2.simple_spread_v3?N=2&max_cycles=6",
        "network.normalise_observations=true",
    ),
}
HEAVY: dict[str, tuple[str, ...]] = {
    "a user's own, vectorised, with rewards scaled and a learned baseline": (
        "tests.worlds:Crowd",
        "network.normalise_observations=true",
        "reward.scale=deviation",
        "loss.baseline=value",
    ),
    "groups": (
        "pettingzoo:mpe2.simple_tag_v3?max_cycles=10",
        "sharing.mode=groups",
        "sharing.groups={adversaries: 'adversary_*', agents: 'agent_*'}",
    ),
    "a game in turns, masked": ("pettingzoo:classic.tictactoe_v3",),
    "pictures": ("pettingzoo:sisl.pursuit_v5?max_cycles=10&n_pursuers=3",),
    "torques": ("pettingzoo:sisl.multiwalker_v9?max_cycles=20", "loss.entropy=0"),
    "agents that die, made anew for every task": ("pettingzoo:butterfly.knights_archers_zombies_v11?max_cycles=60",),
    "foraging": ("gymnasium:Foraging-8x8-2p-3f-v3", "environment.single_reward=team", "sharing.mode=all_with_id"),
    "the warehouse": ("gymnasium:rware-tiny-2ag-v2?max_steps=20", "sharing.mode=none"),
    "vmas": ("vmas:navigation?n_agents=2&max_steps=10", "loss.entropy=0"),
    "vmas, normalised": ("vmas:balance?max_steps=10", "network.normalise_observations=true"),
    "one's own, stepped one by one": ("tests.common.environments.toys:walk", "task.episodes=4"),
}


def one_and_three(chorus: Chorus, spec: str, settings: tuple[str, ...], updates: int) -> tuple[Path, Path]:
    """The same run by one actor and by three."""
    words: list[str] = ["--env", spec, "--updates", str(updates), *SMALL]
    for setting in settings:
        words += ["--set", setting]
    return tuple(chorus.train(name, *words, "--actors", name) for name in ("1", "3"))  # type: ignore[return-value]


def check(chorus: Chorus, spec: str, settings: tuple[str, ...], updates: int) -> None:
    one, three = one_and_three(chorus, spec, settings, updates)
    assert len(set().union(*players(three))) == 3, "the three never all played, so nothing was shown"
    assert weights(one) == weights(three)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", QUICK)
def test_one_actor_and_three_learn_the_same(chorus: Chorus, kind: str) -> None:
    spec, *settings = QUICK[kind]
    check(chorus, spec, tuple(settings), 16)


@pytest.mark.timeout(240)
def test_the_users_environment_of_the_documentation_trains_as_it_is_printed(chorus: Chorus) -> None:
    page = (ROOT / "docs" / "environments.md").read_text()
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example is not None and "chorus train --env meeting:Meeting" in page
    (chorus.folder / "meeting.py").write_text(example.group(1))
    run = chorus.folder / "run"
    command = ("train", "--env", "meeting:Meeting", "--updates", "30", "--actors", "2", "--out", run)
    chorus.run(*command, "--set", "task.episodes=16", PYTHONPATH=str(chorus.folder))
    returns = [float(row["mixed_return"]) for row in rows(run)]
    assert sum(returns[-5:]) > sum(returns[:5])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", HEAVY)
def test_one_actor_and_three_learn_the_same_from_every_adapter(chorus: Chorus, kind: str) -> None:
    spec, *settings = HEAVY[kind]
    check(chorus, spec, tuple(settings), 12)
