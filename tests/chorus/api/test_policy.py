"""A loaded policy acts as the actors do: for one team, for many at once, agent by agent name."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chorus
from chorus.actor.rollout import Player
from chorus.api.policy import Policy
from chorus.common.tasks.task import Purpose, Task
from tests.playground import Game, settings, write_script
from tests.run_folders import write_run
from tests.worlds import Gallery

EVALUATION = Task(0, Purpose.EVALUATION, 0)


NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "three lstms": {"layers": 3, "layer_norm": True},
    "gru": {"memory": "gru"},
    "two grus": {"memory": "gru", "layers": 2, "encoder": [6, 7]},
    "no memory": {"memory": "none", "layers": 2},
    "one's own": {"module": "tests.modules:remembering"},
    "one's own without a state": {"module": "tests.modules:forgetting"},
}
MEMORIES = {
    "lstm": {"hidden", "cell"},
    "three lstms": {"hidden", "cell", "hidden1", "cell1", "hidden2", "cell2"},
    "gru": {"hidden"},
    "two grus": {"hidden", "hidden1"},
    "no memory": set[str](),
    "one's own": {"state"},
    "one's own without a state": {"state"},
}


def policy_of(game: Game) -> Policy:
    return Policy(game.spec, game.policies, game.version, seed=0)


@pytest.mark.parametrize("bounds", [(), ((-1.0, 1.0), (0.0, 4.0))], ids=["discrete", "continuous"])
@pytest.mark.parametrize("sharing", [{"mode": "all"}, {"mode": "all_with_id"}, {"mode": "none"}], ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_it_acts_as_the_actors_do(
    network: str, sharing: dict[str, str], bounds: tuple[tuple[float, float], ...]
) -> None:
    """Whole episodes in which agents are born, die, wait and come back, with masks: greedy, so without draws."""
    script = write_script(5, time=9, episodes=4, choices=(2, 3), masked=not bounds, bounds=bounds)
    game = Game.of(script, settings(sharing=sharing, network=NETWORKS[network]))
    Player(game.team, game.policies, 0, greedy=True).play(game.version, EVALUATION, script.episodes)
    policy = policy_of(game)
    state = policy.initial_state(script.episodes)
    assert set(state) == MEMORIES[network]
    for step in range(script.time):
        present = script.present[step] & script.running[step][:, None]
        begun = script.alive[step] & ~(script.alive[step - 1] if step else np.zeros_like(present))
        for ended in (script.terminated, script.truncated):
            begun |= present & (ended[step - 1] if step else False)
        for memory in state.values():
            memory[begun & present] = 0.0
        seen = np.where(present[:, :, None], script.observations[step], 0.0)
        masks = None if script.masks is None else script.masks[step]
        actions, state = policy.act(seen, state, masks, greedy=True, present=present)
        np.testing.assert_allclose(actions[present], game.team.told[step][present], atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_many_teams_at_once_are_the_same_as_one_after_another(network: str) -> None:
    game = Game.of(write_script(1), settings(sharing={"mode": "none"}, network=NETWORKS[network]))
    policy, draws = policy_of(game), np.random.default_rng(0)
    teams = draws.normal(size=(5, 4, 3, 3)).astype(np.float32)  # [step, team, agent, observation]
    state, alone = policy.initial_state(4), [policy.initial_state() for _ in range(4)]
    for seen in teams:
        actions, state = policy.act(seen, state, greedy=True)
        for team in range(4):
            own, alone[team] = policy.act(seen[team], alone[team], greedy=True)
            np.testing.assert_array_equal(own, actions[team])
            assert alone[team].keys() == state.keys() == MEMORIES[network]
            for name, memory in state.items():
                np.testing.assert_allclose(alone[team][name], memory[team], atol=1e-5)


def test_bytes_are_seen_as_in_training(tmp_path: Path) -> None:
    spec = Gallery((7, 6, 3), choices=(50,)).spec
    raw = replace(spec, agents=tuple(replace(agent, raw=True) for agent in spec.agents))
    policy = chorus.load(write_run(tmp_path / "run", raw))
    seen = np.random.default_rng(0).integers(0, 256, (20, 3, 7 * 6 * 3), np.uint8)
    _, state = policy.act(seen, policy.initial_state(20), greedy=True)
    _, scaled = policy.act(seen * np.float32(1 / 255), policy.initial_state(20), greedy=True)
    for name, memory in state.items():
        np.testing.assert_array_equal(memory, scaled[name])


def test_actions_may_be_bounded_on_one_side_or_none(tmp_path: Path) -> None:
    sides = ((2.0, np.inf), (-np.inf, 0.5), (-np.inf, np.inf), (-1.0, 1.0))
    policy = chorus.load(write_run(tmp_path / "run", Gallery((4,), bounds=sides).spec), seed=0)
    assert policy.policies[0].agent.bounds == sides
    actions, _ = policy.act(np.ones((500, 3, 4)), policy.initial_state(500))
    assert ((actions >= [low for low, _ in sides]) & (actions <= [high for _, high in sides])).all()
    assert actions[..., 0].max() > 2.0 and actions[..., 1].min() < 0.5


def test_samples_come_as_often_as_the_policy_says(tmp_path: Path) -> None:
    """And equal seeds give equal actions."""
    run = write_run(tmp_path / "run", Gallery((4,), choices=(3,)).spec)
    policy = chorus.load(run, seed=1)
    seen = np.ones((20000, 3, 4), np.float32)
    actions, _ = policy.act(seen, policy.initial_state(20000))
    again, _ = chorus.load(run, seed=1).act(seen, policy.initial_state(20000))
    np.testing.assert_array_equal(actions, again)
    likeliest, _ = policy.act(seen[0], policy.initial_state(), greedy=True)
    shares = np.bincount(actions.ravel(), minlength=3) / actions.size
    assert shares.argmax() == likeliest[0, 0] and 0.0 < shares.min() < shares.max() < 1.0


def test_the_state_that_was_given_is_not_changed() -> None:
    policy = policy_of(Game.of(write_script(1), settings()))
    state = policy.initial_state()
    _, after = policy.act(np.ones((3, 3)), state)
    assert not state["hidden"].any() and after["hidden"].any()


def test_a_policy_without_memory_has_an_empty_state() -> None:
    policy = policy_of(Game.of(write_script(1), settings(network={"encoder": 6, "lstm": 5, "memory": "none"})))
    assert policy.initial_state() == {}
    actions, state = policy.act(np.ones((3, 3)), {})
    assert actions.shape == (3, 1) and state == {}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"observations": np.zeros((2, 3))}, r"observations have the shape \[2, 3\]; give \[3, 3\]"),
        ({"observations": np.zeros(9)}, "observations have the shape"),
        ({"observations": np.full((3, 3), np.nan)}, "not finite"),
        ({"masks": np.ones((3, 2))}, r"masks have the shape \[3, 2\]; give \[3, 3\]"),
        ({"masks": np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]])}, "that of agent_1 allows nothing"),
        ({"state": {}}, "begin with policy.initial_state"),
        ({"observations": np.zeros((7, 3, 3))}, "begin with policy.initial_state"),
        ({"present": [True]}, r"present have the shape \[1\]; give \[3\]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given: dict[str, Any], complaint: str) -> None:
    policy = policy_of(Game.of(write_script(1), settings()))
    plain: dict[str, Any] = {"observations": np.zeros((3, 3)), "state": policy.initial_state()}
    with pytest.raises(ValueError, match=complaint):
        policy.act(**(plain | given))


def test_acting_needs_neither_torch_nor_the_environment(tmp_path: Path) -> None:
    """In a process where NumPy was there first, and in which importing torch or the environment would fail."""
    run = write_run(tmp_path / "run", "pettingzoo:mpe2.simple_spread_v3?N=3")
    code = (
        "import sys, numpy as np\n"
        "for name in ('torch', 'mpe2', 'pettingzoo', 'gymnasium', 'matplotlib', 'rich'): sys.modules[name] = None\n"
        "import chorus\n"
        f"policy = chorus.load({str(run)!r})\n"
        "actions, state = policy.act(np.zeros((3, 18)), policy.initial_state())\n"
        f"print(actions.shape, chorus.export({str(run)!r}, 'onnx').name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["(3,", "1)", "all.onnx"], done.stderr


def test_import_chorus_loads_nothing_heavy() -> None:
    code = "import chorus, sys; print([name for name in ('numpy', 'torch', 'grpc', 'yaml') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert set(chorus.__all__) <= set(dir(chorus))
    assert all(getattr(chorus, name).__doc__ for name in chorus.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = chorus.trian
