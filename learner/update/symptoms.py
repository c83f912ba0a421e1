"""Signs that training goes wrong while every number is still finite: each is told once, with what to look at."""

from __future__ import annotations

import logging

import numpy as np

from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import extremes
from chorus.learner.update.report import UpdateReport

log = logging.getLogger("chorus.learner")

GREATEST_RATE = {"adam": 0.3, "rmsprop": 0.3, "sgd": 100.0}
"""Above this a learning rate is a slip: adam and rmsprop move every weight by about so much at each step."""
GREATEST_WEIGHT = 1e3
"""Trained weights are of the order of 1."""
STILL_UPDATES = 30
"""So many equal returns after one another are no coincidence."""
LOOK_EVERY = 20
LOOK_AT_FIRST = 10
"""Weights are looked at after each of the first updates, then now and then: a large network has many."""
DECIDED = 0.01
"""Nats of entropy below which a policy has made up its mind."""


class Symptoms:
    """What is watched over a run; each symptom is told once."""

    def __init__(self, config: Config) -> None:
        """Watch a run of these settings."""
        self._config = config
        self._told: set[str] = set()
        self._still: tuple[float, int] = (float("nan"), 0)

    def look(self, report: UpdateReport, policy: PolicyVersion) -> tuple[str, ...]:
        """What is new after an update and the weights that it made; it goes into the log too."""
        found = (*self.before(), *self.after(report, policy))
        for warning in found:
            log.warning("this may go wrong", extra={"update": report.update, "why": warning})
        return found

    def before(self) -> list[str]:
        """What the settings themselves give away."""
        rate, name = extremes(self._config.optimiser.learning_rate)[1], self._config.optimiser.name
        if rate <= GREATEST_RATE[name]:
            return []
        return self._once(
            "rate",
            f"optimiser.learning_rate reaches {rate:g}, and {name} seldom learns above {GREATEST_RATE[name]:g}; is it a"
            " slip? 1e-3 to 1e-2 is usual",
        )

    def after(self, report: UpdateReport, policy: PolicyVersion) -> list[str]:
        """What an update and the weights that it made give away."""
        return self._large_weights(report, policy) + self._still_return(report)

    def _large_weights(self, report: UpdateReport, policy: PolicyVersion) -> list[str]:
        if "weights" in self._told or (report.version > LOOK_AT_FIRST and report.version % LOOK_EVERY):
            return []
        greatest, name = max(
            (float(np.abs(value).max(initial=0.0)), name)
            for name, value in policy.tensors().items()
            if value.dtype == np.float32
        )
        if greatest <= GREATEST_WEIGHT:
            return []
        return self._once(
            "weights",
            f"the weights have become huge: one of {name} is {greatest:.3g} at update {report.update};"
            " lower optimiser.learning_rate, or set optimiser.clip",
        )

    def _still_return(self, report: UpdateReport) -> list[str]:
        value, count = self._still
        count = count + 1 if report.mixed_return == value else 1
        self._still = report.mixed_return, count
        if count < STILL_UPDATES:
            return []
        said = f"the return has been exactly {report.mixed_return:g} for {count} updates"
        if report.entropy < DECIDED:
            why = (
                f"the policy always does the same (entropy {report.entropy:.2g}): raise loss.entropy, or lower"
                " optimiser.learning_rate, and begin anew"
            )
        else:
            why = (
                "where rewards are rare this may pass; else see by `chorus check-env` that the environment's reward"
                " depends on what agents do"
            )
        return self._once("return", f"{said}; {why}")

    def _once(self, symptom: str, words: str) -> list[str]:
        if symptom in self._told:
            return []
        self._told.add(symptom)
        return [words]
