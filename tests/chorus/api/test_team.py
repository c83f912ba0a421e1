"""A team at play in the loops that people have: PettingZoo's two, Gymnasium's, and mappings of one's own."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.spaces import Tuple as Both
from mpe2 import simple_spread_v3
from pettingzoo.classic import tictactoe_v3

import chorus
from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import EnvironmentFault
from chorus.common.tasks.task import Purpose, Task
from chorus.runs.weights import newest_policy
from tests.run_folders import write_run

SPREAD = "pettingzoo:mpe2.simple_spread_v3?N=3&max_cycles=9"


def test_a_pettingzoo_loop_plays_the_episodes_that_actors_play(tmp_path: Path) -> None:
    policy = chorus.load(write_run(tmp_path / "run", SPREAD))
    env = simple_spread_v3.parallel_env(N=3, max_cycles=9)
    team = policy.team(env)
    for seed in (1, 2):
        observations, infos = env.reset(seed=seed)
        team.reset()
        state, steps = policy.initial_state(), 0
        while env.agents:
            rows = np.stack([observations[name] for name in policy.agents])
            expected, state = policy.act(rows, state, greedy=True)
            actions = team.act(observations, infos, greedy=True)
            assert actions == dict(zip(policy.agents, expected[:, 0].tolist(), strict=True))
            observations, _, _, _, infos = env.step(actions)
            steps += 1
        assert steps == 9


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"layers": 2},
        {"memory": "gru"},
        {"memory": "gru", "layers": 3, "layer_norm": True},
        {"module": "tests.modules:remembering"},
    ],
    ids=["lstm", "two lstms", "gru", "three grus", "one's own"],
)
def test_agents_that_are_away_keep_what_they_remember(network: dict[str, Any], tmp_path: Path) -> None:
    """In a game of turns only one agent observes at a time; each must remember as if it were alone."""
    policy = chorus.load(write_run(tmp_path / "run", SPREAD, network=network))
    team, apart = policy.team(), [policy.team() for _ in range(3)]
    draws = np.random.default_rng(0)
    for turn in range(12):
        name = policy.agents[turn % 3]
        seen = {name: draws.normal(size=18)}
        assert team.act(seen, greedy=True) == apart[turn % 3].act(seen, greedy=True)
    team.reset("agent_1")
    seen = {name: draws.normal(size=18) for name in policy.agents}
    once = {name: policy.team().act({name: seen[name]}, greedy=True)[name] for name in policy.agents}
    forgotten = team.act(seen, greedy=True)
    assert forgotten["agent_1"] == once["agent_1"]


def test_an_aec_loop_plays_by_the_masks(tmp_path: Path) -> None:
    """Illegal moves would end the game at once, with a reward of -1."""
    env = tictactoe_v3.env()
    team = chorus.load(write_run(tmp_path / "run", "pettingzoo:classic.tictactoe_v3"), seed=0).team(env)
    for seed in range(5):
        env.reset(seed=seed)
        team.reset()
        moves = 0
        for agent in env.agent_iter():
            observation, _, terminated, truncated, info = env.last()
            if terminated or truncated:
                env.step(None)
                continue
            action = team.act({agent: observation}, {agent: info})[agent]
            assert observation["action_mask"][action]
            env.step(action)
            moves += 1
        assert moves >= 5


def test_a_gymnasium_loop_of_one_agent(tmp_path: Path) -> None:
    env = gymnasium.make("CartPole-v1")
    team = chorus.load(write_run(tmp_path / "run", "gymnasium:CartPole-v1")).team(env)
    observation, info = env.reset(seed=1)
    over, steps = False, 0
    while not over:
        action = team.act(observation, info, greedy=True)
        assert env.action_space.contains(action)
        observation, _, terminated, truncated, info = env.step(action)
        over, steps = terminated or truncated, steps + 1
    assert steps > 1


class Pair:
    """A team of two as Gymnasium's multi-agent environments have it: tuples, here of bytes and of shifted choices."""

    observation_space = Both([Box(0, 255, (2, 2, 1), np.uint8)] * 2)
    action_space = Both([Discrete(3, start=5)] * 2)
    unwrapped = None


def test_a_gymnasium_team_gets_tuples_in_its_own_spaces(tmp_path: Path) -> None:
    agents = tuple(AgentSpec(f"agent_{number}", (2, 2, 1), (3,)) for number in range(2))
    run = write_run(tmp_path / "run", EnvironmentSpec("pair", "pair 1", agents))
    policy = chorus.load(run)
    team = policy.team(Pair())
    pictures = (np.full((2, 2, 1), 255, np.uint8), np.zeros((2, 2, 1), np.uint8))
    actions = team.act(pictures, greedy=True)
    expected, _ = policy.act(np.stack([np.ones(4), np.zeros(4)]), policy.initial_state(), greedy=True)
    assert actions == tuple((5 + expected[:, 0]).tolist())


@pytest.mark.parametrize(
    ("observations", "complaint"),
    [
        ({"agent_9": np.zeros(18)}, "no agent 'agent_9'; the policy was trained for agent_0, agent_1, agent_2"),
        ({"agent_0": np.zeros(17)}, "agent_0: an observation of type float64 and shape"),
        ({"agent_0": np.zeros(18, np.uint8)}, r"policy.team\(env\)"),
        (np.zeros((3, 18)), "give a mapping from agent name to observation"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, observations: Any, complaint: str) -> None:
    team = chorus.load(write_run(tmp_path / "run", SPREAD)).team()
    with pytest.raises(ValueError, match=complaint):
        team.act(observations)


def test_another_environment_than_that_of_the_run_is_refused(tmp_path: Path) -> None:
    policy = chorus.load(write_run(tmp_path / "run", SPREAD))
    with pytest.raises(EnvironmentFault, match=r"agent_0's observation shape is \(24,\).*trained with \(18,\)"):
        policy.team(simple_spread_v3.parallel_env(N=4))
    with pytest.raises(EnvironmentFault, match="neither a PettingZoo nor a Gymnasium"):
        policy.team(object())


def test_a_whole_evaluation_is_acted_alike(tmp_path: Path) -> None:
    """From what `chorus evaluate` saw, a loaded policy does what it did there."""
    run = write_run(tmp_path / "run", SPREAD)
    policy = chorus.load(run)
    environment = make(SPREAD)
    player = Player(environment, policy.policies, 0, greedy=True)
    played = player.play(newest_policy(run), Task(0, Purpose.EVALUATION, 0), 2)
    state, total = policy.initial_state(2), []
    for seen in played.observations:
        actions, state = policy.act(seen, state, greedy=True)
        total.append(actions)
    np.testing.assert_array_equal(np.stack(total), played.actions)
