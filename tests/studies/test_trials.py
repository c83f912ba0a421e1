"""Which learning rate an arm of a study gets, and where from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.studies.crew import Job
from chorus.studies.run import Json
from chorus.studies.study import TRIAL_SEEDS, Panel, Scale, carry_out

SCALE = Scale(updates=2, rates=(0.1, 0.2, 0.4), evaluations=2, trials=2, seeds=3)
ARMS: dict[str, Json] = {"one": {"update": {"passes": 1}}, "four": {"update": {"passes": 4}}}
BEST = {1: 0.2, 4: 0.4}


class Runs:
    """Does no run: a curve ends the higher the nearer its rate is to its arm's best; above 0.3 one pass diverges."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float, int]] = []

    def __call__(self, jobs: Sequence[Job]) -> list[Any]:
        return [self._curve(job.arguments["settings"]) for job in jobs]

    def _curve(self, settings: Json) -> Json:
        passes, rate = settings["update"]["passes"], settings["optimiser"]["learning_rate"]["start"]
        self.asked.append((passes, rate, settings["seed"]))
        end = -abs(rate - BEST[passes])
        return {"diverged": passes == 1 and rate > 0.3, "individual": [-1.0, end, end], "team": [0.0, 0.0, 0.0]}


def test_an_arm_keeps_the_rate_that_was_best_on_seeds_that_are_not_reported() -> None:
    runs = Runs()
    found = carry_out([Panel("cheap", ARMS)], SCALE, runs)["cheap"]["arms"]
    assert {arm: own["rate"] for arm, own in found.items()} == {"one": 0.2, "four": 0.4}
    assert found["one"]["trials"]["0.4"] == [None, None] and set(found["one"]["trials"]) == {"0.1", "0.2", "0.4"}
    trials, reported = runs.asked[:12], runs.asked[12:]
    assert {seed for *_, seed in trials} == {TRIAL_SEEDS, TRIAL_SEEDS + 1}
    assert reported == [(passes, BEST[passes], seed) for passes in (1, 4) for seed in (0, 1, 2)]


def test_arms_that_were_tried_before_keep_their_rates_and_are_not_tried_again() -> None:
    before = carry_out([Panel("cheap", ARMS)], SCALE, Runs())["cheap"]["arms"]
    runs = Runs()
    found = carry_out([Panel("expensive", ARMS)], SCALE, runs, before)["expensive"]["arms"]
    assert runs.asked == [(passes, BEST[passes], seed) for passes in (1, 4) for seed in (0, 1, 2)]
    assert all(found[arm]["rate"] == before[arm]["rate"] for arm in ARMS)
    assert all(found[arm]["trials"] == before[arm]["trials"] and len(found[arm]["runs"]) == 3 for arm in ARMS)
