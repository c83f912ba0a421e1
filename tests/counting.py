"""An environment that counts and a policy that counts; where they disagree, some row's memory is wrong.

At every step an agent sees the size of this step, how far its life has come with it, and how far it had come before;
no two steps of a script have the same size. The policy adds the sizes up in its LSTM's cell, remembers in another unit
what its hidden state was one step ago, and compares both with what it sees. As long as they agree its three logits are
zero: every action has a probability of a third. A memory that is misaligned, reset late or early, or shared makes some
probability another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import atanh, log, tanh

import numpy as np

from chorus.common.environments.interface import BoolArray, FloatArray
from chorus.common.policy.sharing import PolicySpec
from chorus.common.policy.weights import Tensors
from chorus.common.settings.config import Config
from chorus.common.tasks.trajectory import Trajectory
from chorus.learner.gradient.network import initialise
from chorus.learner.gradient.running_statistics import Statistics
from tests.playground import Game, Script, ScriptedTeam, settings, write_script

THIRD = -log(3.0)
TOLERANCE = 3e-5
SHARPNESS = 30.0
OPEN, SHUT = 60.0, -60.0
"""Biases at which a float32 gate is exactly 1 and 0."""


class CountingTeam(ScriptedTeam):
    """Shows each agent the size of its step and the sums of its life; whose lives there are is the script's."""

    def __init__(self, script: Script, max_steps: int | None = None) -> None:
        seen = np.zeros((*script.present.shape, 3), np.float32)
        super().__init__(replace(script, observations=seen, final_observations=seen), max_steps)
        self._sums = np.zeros((script.episodes, script.agents))
        self._sizes = np.linspace(0.02, 0.08, script.present.size).reshape(script.present.shape)

    def observe(self, step: int, present: BoolArray) -> FloatArray:
        """Count on in the lives that go on, begin anew in those that begin."""
        if step == 0:
            self._sums[:] = 0.0
        else:
            self._sums[self.script.terminated[step - 1] | self.script.truncated[step - 1]] = 0.0
        seen = np.full((*present.shape, 3), 5.0, np.float32)
        for slot in np.argwhere(present):
            episode, agent = (int(number) for number in slot)
            size = float(self._sizes[step, episode, agent])
            before = float(self._sums[episode, agent])
            after = before + tanh(size)
            seen[episode, agent] = size, atanh(after), tanh(before)
            self._sums[episode, agent] = after
        return seen


def counting_tensors(policies: Sequence[PolicySpec], config: Config) -> Tensors:
    """Weights by which the LSTM counts. Units: 0 adds up, 1 what 0 should be, 2 what 0 was, 3 what 2 should be."""
    tensors: Tensors = {}
    for number, spec in enumerate(policies):
        own = {name: np.zeros_like(value) for name, value in initialise(spec, number, config, 0).items()}
        part = {name.removeprefix(f"{spec.name}/"): value for name, value in own.items()}
        part["encoder.weight"][:3, :3] = np.eye(3)
        inputs, forget, new, output = (slice(4 * gate, 4 * gate + 4) for gate in range(4))
        part["lstm.bias"][inputs] = part["lstm.bias"][output] = OPEN
        part["lstm.bias"][forget] = [OPEN, SHUT, SHUT, SHUT]
        part["lstm.weight_ih"][new] = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]
        part["lstm.weight_hh"][new] = [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
        part["head.weight"][:2] = [[SHARPNESS, -SHARPNESS, 0, 0], [0, 0, SHARPNESS, -SHARPNESS]]
        tensors |= own | Statistics.fresh(spec, config).tensors(spec)
    return tensors


def counting_game(script: Script, sharing: dict[str, object] | None = None) -> Game:
    """The script, played by counting agents in a counting environment."""
    config = settings(network={"encoder": 3, "lstm": 4}, sharing=sharing or {"mode": "all"})
    return Game.of(script, config, team=CountingTeam(script), weights=counting_tensors)


def eventful() -> Script:
    """Deaths, rebirths, absences, and episodes of unequal lengths; the tests of mistakes see that all are in it."""
    script = write_script(seed=4, time=8, episodes=4, agents=3, away=0.25, born=0.7, dies=0.2)
    ended = script.terminated | script.truncated
    absent = script.alive & ~script.present
    assert (ended[:-1] & script.present[1:]).any(), "an agent is born in the step after its death"
    assert (absent[:-1] & script.present[1:]).any(), "an agent comes back from an absence"
    assert len(set(script.lengths)) > 2
    return script


def counts_agree(trajectory: Trajectory) -> bool:
    """Whether every action that was taken had a probability of a third."""
    return bool(np.abs(trajectory.log_probabilities[trajectory.acted] - THIRD).max() < TOLERANCE)
