"""Episodes are not instances: K episodes on L instances, in waves that the task alone determines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chorus.actor.rollout import Player
from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import make
from chorus.common.tasks.checking import validate
from chorus.common.tasks.trajectory import Trajectory, digest
from tests.common.environments.toys import Script
from tests.playground import settings, tensors_for, training_task

EPISODES = 7


class Lengthy(Script):
    """Two agents; how long an episode is, and whose life is cut off at its end, follows from its seed. What `a` is paid
    adds up to the seed's own number; an observation says which episode it is of, and when."""

    alive = 0

    def __init__(self) -> None:
        super().__init__([])
        self.possible_agents = ["a", "b"]
        Lengthy.alive += 1

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        assert seed is not None
        self.seed, self.length, self.now = seed % 1000, 2 + seed % 5, 0
        self.agents = ["a", "b"]
        return self._view(), {}

    def _view(self) -> dict[str, Any]:
        return {name: np.array([self.seed / 1000, self.now / 10], np.float32) for name in self.possible_agents}

    def step(self, actions: dict[str, Any]) -> Any:
        self.now += 1
        last = self.now == self.length
        rewards = {"a": float(self.seed) if last else 0.0, "b": 1.0}
        self.agents = [] if last else self.agents
        return self._view(), rewards, {"a": False, "b": last}, {"a": last, "b": False}, {}

    def close(self) -> None:
        Lengthy.alive -= 1


def play(instances: int | None, index: int = 0) -> Trajectory:
    Lengthy.alive = 0
    environment = Lockstep(lambda drawing: Lengthy(), name="lengthy", package="toy 1")
    config = settings(task={"episodes": EPISODES})
    policies = divide(environment.spec, config.sharing, config.network)
    player = Player(environment, policies, 3, instances=instances)
    played = player.play(make(0, tensors_for(policies, config)), training_task(0, index), EPISODES)
    assert Lengthy.alive == min(instances or EPISODES, EPISODES), "no more were made than may live at once"
    environment.close()
    assert not Lengthy.alive
    validate(played, environment.spec, EPISODES)
    return played


@pytest.mark.parametrize("instances", [1, 3, EPISODES, None])
def test_every_episode_is_whole_whatever_wave_it_was_played_in(instances: int | None) -> None:
    played = play(instances)
    for episode in range(EPISODES):
        length = int(played.lengths[episode])
        number = played.individual_rewards[length - 1, episode, 0]
        assert length == 2 + number % 5
        assert played.individual_rewards[:, episode].sum(axis=0).tolist() == [number, length]
        assert played.acted[:, episode].sum() == 2 * length and played.truncated[length - 1, episode, 0]
        seen = played.observations[:length, episode, 0]
        np.testing.assert_allclose(seen, [[number / 1000, step / 10] for step in range(length)], atol=1e-6)
    assert len(set(played.individual_rewards[..., 0].sum(axis=0))) == EPISODES, "each wave has episodes of its own"


def test_as_many_instances_as_episodes_are_the_task_as_it_always_was() -> None:
    assert digest(play(EPISODES)) == digest(play(None)) == digest(play(99))


def test_waves_depend_on_the_task_alone() -> None:
    assert digest(play(3)) == digest(play(3)) != digest(play(1))
    assert digest(play(3, index=1)) != digest(play(3))


def test_greedy_episodes_and_steps_are_told_of_in_waves_too() -> None:
    environment = Lockstep(lambda drawing: Lengthy(), name="lengthy", package="toy 1")
    config = settings(task={"episodes": EPISODES})
    policies = divide(environment.spec, config.sharing, config.network)
    player = replace(Player(environment, policies, 3, instances=2), greedy=True)
    steps: list[int] = []
    player.play(make(0, tensors_for(policies, config)), training_task(), EPISODES, steps.append)
    assert steps == sorted(steps) and len(set(steps)) == len(steps), "the count goes on from wave to wave"
