"""Gymnasium's vectorised environments, the K episodes of a task at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.checks.purity import Purity, prove, random_actions
from chorus.common.environments.permitted import permit
from chorus.common.errors import EnvironmentFault, Refused

gymnasium = pytest.importorskip("gymnasium")
vector, spaces = gymnasium.vector, gymnasium.spaces
SYNC = "vectorization_mode=sync"
Film = list[dict[str, Any]]


def play(spec: str, episodes: int = 5, seed: int = 3) -> Film:
    """All that two tasks of random actions show, until the last episode is over."""
    environment = make(spec)
    film = []
    for task in (seed, seed + 1):
        frame = environment.reset(episodes, np.random.default_rng(task))
        draw = np.random.default_rng(4)
        over = False
        while not over:
            outcome = environment.step(random_actions(environment.spec, frame, draw))
            shown = {name: getattr(frame, name) for name in ("observations", "present", "action_mask")}
            parts = {name: getattr(outcome, name) for name in ("rewards", "terminated", "truncated", "over")}
            film.append({name: None if value is None else value.copy() for name, value in (shown | parts).items()})
            frame, over = outcome.frame, bool(outcome.over.all())
    environment.close()
    return film


@pytest.mark.parametrize(
    ("name", "settings"),
    [("CartPole-v1", ""), ("Pendulum-v1", "max_episode_steps=9&"), ("Taxi-v4", "max_episode_steps=7&")],
)
def test_one_after_another_or_at_once_the_episodes_are_the_same(name: str, settings: str) -> None:
    alone = play(f"gymnasium:{name}?{settings}".rstrip("?&"))
    at_once = play(f"gymnasium.vector:{name}?{settings}{SYNC}")
    assert len(alone) == len(at_once)
    for one, other in zip(alone, at_once, strict=True):
        for part, value in one.items():
            np.testing.assert_array_equal(value, other[part], err_msg=part)


def test_a_vectorised_form_of_its_own_plays_the_same_game() -> None:
    ours = make("gymnasium.vector:CartPole-v1")
    frame = ours.reset(3, np.random.default_rng(1))
    theirs = gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")
    seen, _ = theirs.reset(seed=int(np.random.default_rng(1).integers(2**31, size=4)[1]))
    single = gymnasium.make("CartPole-v1").unwrapped
    single.reset()
    single.state = seen[1].astype(float)
    draw = np.random.default_rng(2)
    for _ in range(6):
        np.testing.assert_array_equal(frame.observations[:, 0], seen)
        actions = random_actions(ours.spec, frame, draw)
        frame = ours.step(actions).frame
        seen = theirs.step(actions[:, 0, 0].astype(np.int64))[0]
        one, *_ = single.step(int(actions[1, 0, 0]))
        np.testing.assert_allclose(frame.observations[1, 0], one, atol=1e-5)


def test_nothing_of_an_episode_that_was_begun_again_is_counted() -> None:
    environment = make("gymnasium.vector:CartPole-v1")
    environment.reset(8, np.random.default_rng(0))
    lengths, ends = np.zeros(8), np.zeros(8)
    over = np.zeros(8, np.bool_)
    for _ in range(80):
        outcome = environment.step(np.ones((8, 1, 1), np.int32))
        assert not (over & ~outcome.over).any() and not outcome.rewards[over].any()
        lengths += outcome.rewards[:, 0]
        ends += outcome.terminated[:, 0]
        over = outcome.over.copy()
        np.testing.assert_array_equal(outcome.frame.present[:, 0], ~over)
    assert over.all() and (ends == 1).all()
    assert (lengths < 15).all(), "whoever only pushes to the right falls soon"


@pytest.mark.parametrize("spec", ["gymnasium.vector:CartPole-v1", f"gymnasium.vector:CartPole-v1?{SYNC}"])
def test_it_is_pure_and_takes_any_number_of_episodes(spec: str) -> None:
    assert prove(lambda: make(spec))[1].purity is Purity.PURE


class Counting(vector.VectorEnv):  # type: ignore[misc, name-defined]
    """Episodes of three steps, the state being their number; begun again within the step that ends them."""

    def __init__(self, num_envs: int = 1, mode: Any = None, max_episode_steps: int = 3) -> None:
        self.num_envs, self._limit = num_envs, max_episode_steps
        self.metadata = {"autoreset_mode": mode or vector.AutoresetMode.SAME_STEP}
        self.single_observation_space = spaces.Box(0, 9, (1,), np.float32)
        self.single_action_space = spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self._now = np.zeros((self.num_envs, 1), np.float32)
        return self._now.copy(), {}

    def step(self, actions: Any) -> Any:
        self._now += 1
        cut = self._now[:, 0] >= self._limit
        told = {"final_obs": list(self._now.copy()), "_final_obs": cut.copy()} if cut.any() else {}
        self._now[cut] = 0
        return self._now.copy(), np.ones(self.num_envs), np.zeros(self.num_envs, np.bool_), cut, told


@pytest.fixture
def counting() -> Iterator[None]:
    gymnasium.register("Counting-v0", vector_entry_point=Counting, max_episode_steps=3)
    gymnasium.register("Waiting-v0", vector_entry_point=Waiting, max_episode_steps=3)
    yield
    del gymnasium.registry["Counting-v0"], gymnasium.registry["Waiting-v0"]


class Waiting(Counting):
    """The same, but it waits to be begun again."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int = 3) -> None:
        super().__init__(num_envs, vector.AutoresetMode.DISABLED, max_episode_steps)


@pytest.mark.usefixtures("counting")
def test_what_is_seen_last_is_kept_where_episodes_begin_again_within_the_step() -> None:
    environment = make("gymnasium.vector:Counting-v0")
    assert environment.spec.max_steps == 3
    environment.reset(2, np.random.default_rng(0))
    for step in (1, 2, 3, 4):
        outcome = environment.step(np.zeros((2, 1, 1), np.int32))
        assert (outcome.frame.observations == min(step, 3)).all()
        assert outcome.truncated.all() == (step == 3)
        assert outcome.rewards.all() == (step <= 3)


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gymnasium.vector:CartPol-v1", "did you mean 'CartPole-v1'"),
        ("gymnasium.vector:CartPole-v1?vectorization_mode=async", "give vector_entry_point or sync"),
        ("gymnasium.vector:Pendulum-v1?vectorization_mode=vector_entry_point", "no vectorised form of its own"),
        ("gymnasium.vector:CartPole-v1?gravity=3", "it refuses its settings"),
        ("gymnasium.vector:Waiting-v0", "does not begin episodes again by itself"),
        ("gymnasium.vector", "needs to know which environment"),
    ],
)
def test_a_wrong_name_or_setting_is_answered(spec: str, words: str) -> None:
    with pytest.raises(EnvironmentFault, match=words):
        make(spec)


def test_only_known_names_are_played_unasked() -> None:
    permit("gymnasium.vector:CartPole-v1", ())
    with pytest.raises(Refused):
        permit("gymnasium.vector:os:path-v1", ())


def test_a_picture_is_that_of_the_first_episode() -> None:
    pytest.importorskip("pygame")
    environment = make("gymnasium.vector:CartPole-v1", render=True)
    environment.reset(1, np.random.default_rng(0))
    picture = environment.render()
    assert picture is not None and picture.shape == (400, 600, 3)
    assert make("gymnasium.vector:CartPole-v1").render() is None
