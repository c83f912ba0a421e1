"""Each agent's memory is its own, empty when its life begins, and kept while its life lasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.actor import rollout
from chorus.actor.inference import Inference
from chorus.common.environments.interface import BoolArray, FloatArray
from tests.counting import counting_game, counts_agree, eventful
from tests.playground import Script, scripts

SHARING: list[dict[str, Any]] = [
    {"mode": "all"},
    {"mode": "all_with_id"},
    {"mode": "none"},
    {"mode": "groups", "groups": {"second": "agent_1", "others": "*"}},
]


@settings(max_examples=60, deadline=None)
@given(
    script=scripts(
        time=st.integers(1, 9),
        agents=st.integers(2, 4),
        masked=st.just(False),
        choices=st.just((3,)),
        dies=st.sampled_from([0.0, 0.2, 0.5]),
    ),
    sharing=st.sampled_from(SHARING),
)
def test_an_environment_that_counts_and_a_policy_that_counts_agree_at_every_step(
    script: Script, sharing: dict[str, Any]
) -> None:
    game = counting_game(script, sharing)
    assert counts_agree(game.play())
    assert counts_agree(game.play()), "nothing is left over from one task to the next"


# Nine ways to break it, each of which the test above would see.


class NeverForgets(Inference):
    def forget(self, rows: BoolArray) -> None:
        pass


class ForgetsAfterTheStep(Inference):
    _late: BoolArray | None = None

    def forget(self, rows: BoolArray) -> None:
        self._late = rows.copy()

    def step(self, inputs: FloatArray, rows: Any = None) -> FloatArray:
        outputs = super().step(inputs, rows)
        if self._late is not None:
            super().forget(self._late)
            self._late = None
        return outputs


class ForgetsTheAbsent(Inference):
    def step(self, inputs: FloatArray, rows: Any = None) -> FloatArray:
        if rows is not None:
            others = np.ones(len(cell(self)), np.bool_)
            others[rows] = False
            super().forget(others)
        return super().step(inputs, rows)


class ForgetsEverybodyWithTheNewborn(Inference):
    def forget(self, rows: BoolArray) -> None:
        super().forget(np.ones_like(rows))


class ForgetsTheNeighbour(Inference):
    def forget(self, rows: BoolArray) -> None:
        super().forget(np.roll(rows, 1))


class ForgetsTheCellOnly(Inference):
    def forget(self, rows: BoolArray) -> None:
        cell(self)[rows] = 0.0


class ForgetsTheHiddenStateOnly(Inference):
    def forget(self, rows: BoolArray) -> None:
        hidden(self)[rows] = 0.0


class SharesOneMemoryBetweenTwoAgents(Inference):
    def step(self, inputs: FloatArray, rows: Any = None) -> FloatArray:
        outputs = super().step(inputs, rows)
        cell(self)[1::2], hidden(self)[1::2] = cell(self)[::2], hidden(self)[::2]
        return outputs


class TakesTheFirstMemoriesForThoseOfThePresent(Inference):
    def step(self, inputs: FloatArray, rows: Any = None) -> FloatArray:
        return super().step(inputs, None if rows is None else np.arange(len(rows)))


class MovesTheAbsentOn(Inference):
    def step(self, inputs: FloatArray, rows: Any = None) -> FloatArray:
        if rows is not None:
            others = np.setdiff1d(np.arange(len(cell(self))), rows)
            super().step(np.ones((len(others), inputs.shape[1]), np.float32), others)
        return super().step(inputs, rows)


def cell(inference: Inference) -> FloatArray:
    """The cells of all rows, `[row, unit]`."""
    found: FloatArray = inference._trunk._memories[0]._everybody.cell.T  # type: ignore[attr-defined]
    return found


def hidden(inference: Inference) -> FloatArray:
    """The hidden states of all rows, `[row, unit]`."""
    found: FloatArray = inference._trunk._memories[0]._everybody.hidden.T  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    "broken",
    [
        NeverForgets,
        ForgetsAfterTheStep,
        ForgetsTheAbsent,
        ForgetsEverybodyWithTheNewborn,
        ForgetsTheNeighbour,
        ForgetsTheCellOnly,
        ForgetsTheHiddenStateOnly,
        SharesOneMemoryBetweenTwoAgents,
        TakesTheFirstMemoriesForThoseOfThePresent,
        MovesTheAbsentOn,
    ],
)
def test_a_memory_gone_wrong_does_not_go_unnoticed(broken: type[Inference], monkeypatch: pytest.MonkeyPatch) -> None:
    script = eventful()
    assert counts_agree(counting_game(script).play())
    monkeypatch.setattr(rollout, "Inference", broken)
    assert not counts_agree(counting_game(script).play())
