"""Training that goes wrong with every number still finite is told of, once, with what to look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.settings.config import check
from chorus.learner.update.episode_totals import EpisodeTotals
from chorus.learner.update.report import UpdateReport
from chorus.learner.update.symptoms import STILL_UPDATES, Symptoms

FIGURES = dict.fromkeys(UpdateReport.__dataclass_fields__, 0.0)
REPORT = UpdateReport(**(FIGURES | {"update": 0, "version": 1, "totals": EpisodeTotals(1, 1, 1, 0.0, 0.0)}))  # type: ignore[arg-type]


def version(greatest: float = 1.0) -> PolicyVersion:
    return make(1, {"all/head.weight": np.array([[0.5, -greatest]], np.float32)})


@pytest.mark.parametrize(
    ("optimiser", "warned"),
    [
        ({"learning_rate": 1e9}, True),
        ({"learning_rate": 2e-3}, False),
        ({"learning_rate": {"kind": "linear", "start": 1e-3, "end": 5.0, "over": 9}}, True),
        ({"name": "sgd", "learning_rate": 1.0}, False),
        ({"name": "sgd", "learning_rate": 1e4}, True),
    ],
)
def test_a_learning_rate_that_cannot_be_meant(optimiser: dict[str, Any], warned: bool) -> None:
    symptoms = Symptoms(check({"optimiser": optimiser}))
    said = symptoms.look(REPORT, version())
    assert len(said) == warned and all("optimiser.learning_rate reaches" in words for words in said)
    assert symptoms.look(REPORT, version()) == (), "told once"


def test_weights_that_become_huge_are_named() -> None:
    symptoms = Symptoms(check({}))
    assert symptoms.look(REPORT, version(900.0)) == ()
    (words,) = symptoms.look(REPORT, version(5e4))
    assert "all/head.weight is 5e+04 at update 0" in words and "lower optimiser.learning_rate" in words
    assert symptoms.look(REPORT, version(5e4)) == (), "told once"


@pytest.mark.parametrize(("entropy", "words"), [(0.001, "always does the same"), (1.5, "rewards are rare")])
def test_a_return_that_collapses_to_a_constant(entropy: float, words: str) -> None:
    symptoms = Symptoms(check({}))
    told = [
        symptoms.look(replace(REPORT, update=n, version=n + 1, mixed_return=-3.5, entropy=entropy), version())
        for n in range(STILL_UPDATES + 20)
    ]
    assert [len(said) for said in told] == [*[0] * (STILL_UPDATES - 1), 1, *[0] * 20]
    assert "exactly -3.5" in told[STILL_UPDATES - 1][0] and words in told[STILL_UPDATES - 1][0]


def test_a_return_that_moves_is_nothing_to_tell() -> None:
    symptoms = Symptoms(check({}))
    assert not any(symptoms.look(replace(REPORT, mixed_return=n % 2), version()) for n in range(3 * STILL_UPDATES))
