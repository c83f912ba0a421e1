"""Before the first task it is known whether an environment can be reused, must be made anew, or cannot be repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chorus.common.environments import make
from chorus.common.environments.adapters.lockstep import Lockstep
from chorus.common.environments.checks.purity import Fresh, Purity, digest, prove, random_actions
from chorus.common.environments.interface import Environment
from tests.common.environments.toys import walk


def toy(source: str) -> Environment:
    return Lockstep(lambda drawing: walk(source), name=f"walk {source}", package="toy 1")


@pytest.mark.parametrize("source", ["seed", "global"])
def test_what_draws_from_the_seed_or_from_the_generators_of_the_process_is_pure(source: str) -> None:
    environment, finding = prove(lambda: toy(source))
    assert finding.purity is Purity.PURE and finding.reproducible and not finding.message
    assert not isinstance(environment, Fresh)


def test_what_remembers_only_now_and_then_is_found_too() -> None:
    """As level-based foraging does, which lets nobody begin where somebody stood last."""
    _, finding = prove(lambda: toy("rarely"))
    assert finding.purity is Purity.FRESH_ONLY


@pytest.mark.parametrize("source", ["remembers", "stream"])
def test_what_remembers_the_last_episode_is_made_anew_for_every_task(source: str) -> None:
    environment, finding = prove(lambda: toy(source), task_episodes=8)
    assert finding.purity is Purity.FRESH_ONLY and finding.reproducible
    assert f"walk {source}" in finding.message and "ms for a task of 8 episodes" in finding.message
    for _ in range(3):
        assert digest(environment, 5, 4, 10) == digest(toy(source), 5, 4, 10)
        digest(environment, 6, 4, 2)
    reused = toy(source)
    assert digest(reused, 5, 4, 10) == digest(toy(source), 5, 4, 10)
    digest(reused, 6, 4, 2)
    assert digest(reused, 5, 4, 10) != digest(toy(source), 5, 4, 10), "that is what the fresh ones are for"


def test_what_draws_from_nowhere_that_a_seed_reaches_is_not_reproducible() -> None:
    _, finding = prove(lambda: toy("entropy"))
    assert finding.purity is Purity.NOT_REPRODUCIBLE and not finding.reproducible
    assert "not reproducible" in finding.message and "Remedy" in finding.message


def test_the_built_in_environment_is_pure() -> None:
    assert prove(lambda: make("spread"))[1].purity is Purity.PURE


def test_mpe2_is_pure() -> None:
    pytest.importorskip("mpe2")
    assert prove(lambda: make("pettingzoo:mpe2.simple_spread_v3"))[1].purity is Purity.PURE


def test_the_proof_notices_the_smallest_difference() -> None:
    class Nudged:
        """`spread`, one bit of one reward changed in the second instance."""

        made = 0

        def __init__(self) -> None:
            self._inner: Any = make("spread")
            self.spec = self._inner.spec
            self.reset, self.render, self.close = self._inner.reset, self._inner.render, self._inner.close
            Nudged.made += 1
            self._nudge, self._steps = Nudged.made == 2, 0

        def step(self, actions: Any) -> Any:
            outcome = self._inner.step(actions)
            self._steps += 1
            if self._nudge and self._steps == 20:
                outcome.team_rewards[1] = np.nextafter(outcome.team_rewards[1], np.float32(np.inf))
            return outcome

    assert prove(Nudged)[1].purity is Purity.NOT_REPRODUCIBLE


def test_random_actions_are_allowed_ones_and_all_of_them() -> None:
    pytest.importorskip("pettingzoo")
    environment = make("pettingzoo:classic.tictactoe_v3")
    draw = np.random.default_rng(0)
    frame = environment.reset(200, draw)
    assert set(random_actions(environment.spec, frame, draw)[:, 0, 0]) == set(range(9))
    while frame.present.any():
        actions = random_actions(environment.spec, frame, draw)
        mask = frame.action_mask
        assert mask is not None
        chosen = np.take_along_axis(mask, actions.astype(np.intp), axis=2)[..., 0]
        assert chosen[frame.present].all() and not actions[~frame.present].any()
        frame = environment.step(actions).frame
