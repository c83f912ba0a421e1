"""Teams as people have them: of any size, of strangers, and with members who die for the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chorus.actor.rollout
from chorus.actor.rollout import Player
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion, Tensors
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.tasks.checking import validate
from chorus.common.tasks.seeding import action_stream
from chorus.common.tasks.task import Task
from chorus.learner.gradient import reinforce as gradient
from chorus.learner.gradient.returns import Values, discounted
from chorus.learner.update.training import Training, first_version
from tests.playground import settings, training_task
from tests.worlds import Crowd, Departure, Grenade, Strangers, World


@dataclass
class Run:
    """A run without processes: the same bits, in the order of tasks."""

    world: World
    config: Config
    training: Training
    player: Player

    @staticmethod
    def of(world: World, config: Config, first: PolicyVersion | None = None) -> Run:
        """A run of a resolved configuration, from given weights or fresh ones."""
        resolved = configuration.resolve(config, world.spec)
        policies = divide(world.spec, resolved.sharing, resolved.network)
        version = first or first_version(resolved, policies)
        training = Training(resolved, world.spec, policies, {0: version})
        return Run(world, resolved, training, Player(world, policies, resolved.seed))

    def update(self) -> float:
        """Play a batch and learn from it; return the mixed return."""
        tasks = [training_task(self.training.update, index) for index in range(self.config.tasks)]
        played = [self.player.play(self.training.current, task, self.config.episodes) for task in tasks]
        return self.training.apply([self.training.sums(trajectory) for trajectory in played]).mixed_return

    def learn(self, updates: int) -> PolicyVersion:
        """The version after so many updates."""
        for _ in range(updates):
            self.update()
        return self.training.current


# -- sacrifice


def jumps(run: Run) -> float:
    """How often the brave one jumps."""
    played = run.player.play(run.training.current, training_task(10_000), 200)
    return float(played.actions[0, :, 0, 0].mean())


def grenade(**sections: Any) -> Run:
    plain = {
        "task": {"episodes": 16},
        "network": {"encoder": 8, "lstm": 8},
        "loss": {"discount": 1.0},
        "optimiser": {"learning_rate": 0.02},
        "reward": {"individual": 1.0, "team": 1.0},
    }
    return Run.of(Grenade(), settings(**plain | sections))


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"loss": {"discount": 1.0, "baseline": "none"}},
        {"loss": {"discount": 1.0, "baseline": "value"}, "value": {"network": "own"}},
        {"sharing": {"mode": "none"}},
    ],
    ids=["leave_one_out", "none", "value", "a policy each"],
)
def test_who_dies_for_the_team_is_credited_with_what_comes_after_its_death(sections: dict[str, Any]) -> None:
    """To jump costs the brave one 4 of its own and brings the team 10, when it has long been dead."""
    run = grenade(**sections)
    assert 0.2 < jumps(run) < 0.8
    run.learn(40)
    assert jumps(run) > 0.95


def test_credit_that_ends_with_ones_life_teaches_cowardice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same problem, with team rewards cut at death, as for an environment that pays only the living."""

    def cut(individual: Values, team: Values, ended: Any, weights: tuple[float, float], discount: float) -> Values:
        shared = np.broadcast_to(team[:, :, None], individual.shape)
        return discounted(weights[0] * individual + weights[1] * shared, discount, ended)

    monkeypatch.setattr(gradient, "mixed_returns", cut)
    run = grenade()
    run.learn(40)
    assert jumps(run) < 0.05


@pytest.mark.parametrize(
    ("baseline", "sign"),
    [
        ("none", 1.0),  # with every return below zero and no baseline it would take hundreds of updates
        *[(name, sign) for name in ("leave_one_out", "value", "value that sees the team") for sign in (1.0, -1.0)],
    ],
)
def test_to_leave_for_the_team_before_a_limit_of_time_is_credited_as_it_is(baseline: str, sign: float) -> None:
    """A time after the limit that the living would count and the departed could not have would teach the opposite."""
    loss, _, sees = baseline.partition(" that sees the ")
    sections = {
        "task": {"episodes": 16},
        "network": {"encoder": 8, "lstm": 8},
        "loss": {"discount": 0.99, "baseline": loss},
        "value": {"network": "own", "sees": sees or "own"} if loss == "value" else {},
        "update": {"passes": 4, "tasks": 2},
        "optimiser": {"learning_rate": 0.01},
        "reward": {"individual": 0.0, "team": 1.0},
    }
    run = Run.of(Departure(8, sign), settings(**sections))
    run.learn(45)
    played = run.player.play(run.training.current, training_task(10_000), 200)
    paid = float(played.team_rewards.sum()) / 200
    assert paid > (9.4 if sign > 0 else -8.5), "9.6 and -8 are the best there is"


# -- teams of any size


def test_teams_of_different_sizes_learn_together() -> None:
    run = Run.of(Crowd(), settings(task={"episodes": 16}, optimiser={"learning_rate": 0.03}))
    played = run.player.play(run.training.current, training_task(), 16)
    validate(played, run.world.spec, 16)
    sizes = run.world.sizes  # type: ignore[attr-defined]
    assert set(sizes) == {1, 2, 3, 4}
    assert (played.acted.sum(axis=2) == sizes).all()
    absent = ~played.acted
    for array in (played.observations, played.actions, played.log_probabilities, played.individual_rewards):
        assert not array[absent].any(), "slots of those who are not there stay zero"
    first = run.update()
    run.learn(30)
    assert run.update() > 2.0 * first


def test_who_is_not_there_changes_nothing_for_those_who_are() -> None:
    """The same episodes beside slots that nobody ever fills: the same actions, and the same gradient by `sum`."""

    class Larger(Crowd):
        """A crowd with room for more."""

        def begin(self, generator: np.random.Generator) -> None:
            wide, self.shape = self.shape, (self.shape[0], 4)
            super().begin(generator)
            more = ((0, 0), (0, wide[1] - 4))
            self.shape, self.present = wide, np.pad(self.present, more)
            self.shown = np.pad(self.shown, ((0, 0), *more))

    config = settings(task={"episodes": 8}, loss={"reduction": "sum", "normalise_advantages": False})
    runs = [Run.of(world, config) for world in (Crowd(4), Larger(6))]
    draws = Draws(8, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chorus.actor.rollout, "action_stream", draws.stream)
        played = [run.player.play(run.training.current, training_task(), 8) for run in runs]
    np.testing.assert_array_equal(played[0].acted, played[1].acted[:, :, :4])
    np.testing.assert_array_equal(played[0].actions, played[1].actions[:, :, :4])
    gradients = [run.training.sums(task).policies[0].step.gradient for run, task in zip(runs, played, strict=True)]
    assert gradients[0] is not None and gradients[1] is not None
    np.testing.assert_array_equal(gradients[0].numpy(), gradients[1].numpy())


# -- strangers: no sharing is many single runs


class Draws:
    """The action draws of a large team, of which a smaller one gets its members' own columns."""

    def __init__(self, episodes: int, agents: int) -> None:
        self._shape = (episodes, agents)
        self.columns: slice = slice(None)

    def stream(self, seed: int, task: Task) -> Any:
        """In the place of `chorus.common.tasks.seeding.action_stream`."""
        return _Columns(action_stream(seed, task), self._shape, self.columns)


@dataclass
class _Columns:
    """A generator that draws for the large team and gives out the columns that are asked for."""

    whole: np.random.Generator
    team: tuple[int, int]
    columns: slice

    def random(self, shape: tuple[int, int, int, int], dtype: type) -> np.ndarray:
        drawn: np.ndarray = self.whole.random((shape[0], *self.team, shape[3]), dtype=np.float32)
        return np.ascontiguousarray(drawn[:, :, self.columns][:, :, : shape[2]])


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"loss": {"baseline": "value"}, "value": {"network": "own", "steps": 2, "slow": 0.5}},
        {"network": {"encoder": 6, "lstm": 5, "normalise_observations": True}, "reward": {"scale": "deviation"}},
        {"loss": {"reduction": "agent_mean"}, "lag": 1},
        {"loss": {"reduction": "fixed", "baseline": "none"}, "optimiser": {"name": "sgd", "clip": 0.01}},
    ],
    ids=lambda sections: " ".join(map(str, sections)) or "default",
)
def test_no_sharing_is_as_many_single_runs_to_the_last_byte(
    monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any]
) -> None:
    """On an environment of N strangers, `none` trains N policies; alone, each would have become the same.

    Given alike: each agent's draws, its first weights, and the shapes of its forward passes (K rows). Not alike: the
    length of the arrays, since a team's episode lasts until the last of them is dead, and all that one agent's learning
    could wrongly leak into another's: statistics, clipping, Z, optimiser state.
    """
    agents, episodes, updates = 3, 8, 6
    plain: dict[str, Any] = {
        "sharing": {"mode": "none"},
        "task": {"episodes": episodes},
        "update": {"tasks": 2},
        "optimiser": {"learning_rate": 0.03},
    }
    config = settings(**plain | sections)
    draws = Draws(episodes, agents)
    monkeypatch.setattr(chorus.actor.rollout, "action_stream", draws.stream)
    together = Run.of(Strangers(agents), config)
    first = together.training.current.tensors()
    ended = learn_with_lag(together, updates)
    lengths = set()
    for agent in range(agents):
        draws.columns = slice(agent, agent + 1)
        alone = Run.of(Strangers(agents, only=agent), config)
        own = make_version(first, f"agent_{agent}/")
        alone = Run.of(alone.world, config, own)
        expected = learn_with_lag(alone, updates)
        lengths.add(alone.player.play(alone.training.current, training_task(99), episodes).acted.shape[0])
        assert expected.keys() == {name for name in ended if name.startswith(f"agent_{agent}/")}
        for name, value in expected.items():
            assert value.tobytes() == ended[name].tobytes(), name
            assert not name.endswith("encoder.weight") or value.tobytes() != first[name].tobytes()


def learn_with_lag(run: Run, updates: int) -> Tensors:
    """Learn from batches played by the versions that the lag says."""
    training = run.training
    for update in range(updates):
        tasks = [training_task(update, index) for index in range(run.config.tasks)]
        played = [run.player.play(training.version_for(update), task, run.config.episodes) for task in tasks]
        training.apply([training.sums(trajectory) for trajectory in played])
    return training.current.tensors()


def make_version(tensors: Tensors, prefix: str) -> PolicyVersion:
    """Version 0 of one policy alone."""
    from chorus.common.policy.weights import make

    return make(0, {name: value for name, value in tensors.items() if name.startswith(prefix)})


# -- one number for each agent: whose is it?


class Alike(Crowd):
    """A crowd that pays each agent one number and nothing apart."""

    def __init__(self) -> None:
        super().__init__()
        members = self.spec.agents
        self.spec = type(self.spec)("alike", "alike 1", members, self.steps, team_reward=False)

    def live(self, actions: Any) -> Any:
        """As in a crowd, less the team's part."""
        rewards, _, dies = super().live(actions)
        return rewards, np.zeros(self.shape[0]), dies


@pytest.mark.parametrize(
    ("single", "how", "expected"),
    [
        ("individual", None, lambda own, present: own.sum()),
        ("team", "mean", lambda own, present: own.shape[2] * (own.sum(axis=2) / present.sum(axis=2)).sum()),
        ("team", "sum", lambda own, present: own.shape[2] * own.sum()),
    ],
)
def test_the_mixed_return_is_the_environments_own_where_it_gives_one_number(
    single: str, how: str | None, expected: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    """Weights that nobody set do not halve it; as the team's, it counts once for every agent of the team."""
    config = settings(
        environment={"single_reward": single}, reward={"team_from": how}, task={"episodes": 8}, update={"tasks": 1}
    )
    run = Run.of(Alike(), config)
    played = run.player.play(run.training.current, training_task(), 8)
    report = run.training.apply([run.training.sums(played)])
    assert report.mixed_return == pytest.approx(expected(played.individual_rewards, played.acted) / 8)


def test_weights_left_out_follow_the_environment() -> None:
    def weights(world: World, single: str, **given: float) -> tuple[object, object]:
        plain = settings(environment={"single_reward": single}, reward=given)
        reward = configuration.resolve(plain, world.spec).reward
        return reward.individual, reward.team

    assert weights(Crowd(), "individual") == (0.5, 0.5)
    assert weights(Crowd(), "individual", team=0.9) == (0.5, 0.9)
    assert weights(Alike(), "individual") == (1.0, 0.0)
    assert weights(Alike(), "team") == (0.0, 1.0)
    assert weights(Alike(), "team", team=0.3) == (0.0, 0.3)


def test_one_number_cannot_be_the_teams_where_the_environment_gives_the_team_its_own() -> None:
    with pytest.raises(ConfigError, match=r"environment.single_reward is team, but crowd gives a team reward apart"):
        configuration.resolve(settings(environment={"single_reward": "team"}), Crowd().spec)
