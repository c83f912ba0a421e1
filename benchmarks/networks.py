"""The networks that a run may have beside the usual one: their gradients and their steps, beside the usual one's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from chorus.actor.inference import Inference
from chorus.benchmarks.measurement import Effort, medians
from chorus.benchmarks.report import Column, Row, Table
from chorus.benchmarks.scene import Scene, ragged
from chorus.common.environments.interface import AgentSpec, Environment, EnvironmentSpec
from chorus.common.environments.spread import Spread

USUAL = "LSTM"
ROWS = "chorus.benchmarks.networks:spread_as_rows"
KINDS: dict[str, tuple[str, ...]] = {
    USUAL: (),
    "LSTM, normalised, as by default": ("network.layer_norm=true",),
    "GRU": ("network.memory=gru",),
    "two LSTMs": ("network.layers=2",),
    "two encoder layers, normalised": ("network.encoder=[64, 64]", "network.layer_norm=true"),
    # A module stands in the place of the normalisation, which the benchmarks' base leaves out: both may not be said.
    "your own: linear, LSTM cell": ("network.module=chorus.benchmarks.networks:own", "network.layer_norm=true"),
    "attention among 6 entities": ("network.attention=64", f"environment.spec={ROWS}"),
}
GRADIENT_COLUMNS = (
    Column("network", "network"),
    Column("even", "agent-steps/s, even", ",.0f"),
    Column("ragged", "agent-steps/s, ragged", ",.0f"),
    Column("share_of_usual", "of the LSTM's, even", ".2f"),
)
STEP_COLUMNS = (
    Column("network", "network"),
    Column("rows", "rows", "d"),
    Column("microseconds", "µs per step", ".0f"),
    Column("share_of_usual", "of the LSTM's speed", ".2f"),
)


class _Rows(Spread):
    """Spread, whose 18 numbers are told as 6 entities of 3 features: not what they mean, but as many."""

    @property
    def spec(self) -> EnvironmentSpec:
        told = super().spec
        agents = tuple(AgentSpec(agent.name, (6, 3), agent.choices) for agent in told.agents)
        return EnvironmentSpec(told.name, told.package, agents, told.max_steps, told.team_reward)


def spread_as_rows() -> Environment:
    """The environment that attention is measured on."""
    return _Rows(name=ROWS)


class _Own(nn.Module):
    """The usual network once more, as a user would write it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.state_size = 2 * outputs
        self.encoder = nn.Linear(inputs, outputs)
        self.cell = nn.LSTMCell(outputs, outputs)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, cell = self.cell(torch.relu(self.encoder(inputs)), tuple(state.chunk(2, dim=1)))
        return hidden, torch.cat([hidden, cell], dim=1)


def own(shape: tuple[int, ...], beside: int, outputs: int) -> nn.Module:
    """The factory of the network of the user's own that is measured."""
    return _Own(prod(shape) + beside, outputs)


def gradients(effort: Effort) -> Table:
    """One task's gradient by each network, widths of 64, 96 rows of 25 steps."""
    scenes = _scenes(effort)
    trainings = {name: (scene.training(), scene.trajectory()) for name, scene in scenes.items()}
    rows: list[Row] = []
    for name, (training, even) in trainings.items():
        cut = ragged(even)
        usual, first = trainings[USUAL]
        works: list[Callable[[], object]] = [
            partial(training.sums, even),
            partial(training.sums, cut),
            partial(usual.sums, first),
        ]
        seconds = medians(works, effort)
        rows.append(
            {
                "network": name,
                "even": even.agent_steps / seconds[0],
                "ragged": cut.agent_steps / seconds[1],
                "share_of_usual": seconds[2] / seconds[0],
            }
        )
    title = "One task's gradient by other networks, widths of 64, 96 rows of 25 steps, in turns with the usual one's"
    return Table("networks", title, GRADIENT_COLUMNS, rows)


def steps(effort: Effort, rows: int = 96) -> Table:
    """One step of all rows by each network."""
    found: list[Row] = []
    inferences = {}
    for name, scene in _scenes(effort).items():
        spec = scene.policies[0]
        inputs = np.random.default_rng(0).random((rows, spec.input_size), np.float32)
        inferences[name] = Inference(scene.version.tensors(), spec, rows), inputs
    for name, (inference, inputs) in inferences.items():
        usual, first = inferences[USUAL]
        works: list[Callable[[], object]] = [partial(inference.step, inputs), partial(usual.step, first)]
        seconds = medians(works, effort)
        found.append(
            {
                "network": name,
                "rows": rows,
                "microseconds": 1e6 * seconds[0],
                "share_of_usual": seconds[1] / seconds[0],
            }
        )
    title = "One step of all rows by other networks, widths of 64, without sampling, in turns with the usual one's"
    return Table("networks", title, STEP_COLUMNS, found)


def _scenes(effort: Effort) -> dict[str, Scene]:
    kinds = dict(list(KINDS.items())[: effort.pick(2, len(KINDS), len(KINDS))])
    return {
        name: Scene.of({}, "environment.spec=spread?agents=3", "task.episodes=32", *settings)
        for name, settings in kinds.items()
    }
