"""Which combinations a search tries next, by Optuna's TPE (Bergstra et al. 2011): a function of what is known by then.

A round is chosen when all before it are done, from means over seeds, in the order of the combinations, by draws that
the search's seed and the round name. So neither cores nor kills change it, and it needs no database beside its runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chorus.common.errors import ConfigError
from chorus.sweeps.search import Choice, Range, Search, Values, whole

DRAWN_SHARE, MOST_DRAWN = 4, 10
"""A quarter of the combinations, at most ten, are drawn at random before anything is concluded from them."""


def choose(search: Search, known: Sequence[tuple[Choice, float]]) -> list[Choice]:
    """The combinations of the next round; none once all are done.

    Args:
        search: what may be chosen.
        known: the combinations of the rounds before, in order, and what each reached; NaN for one that failed.

    Raises:
        ConfigError: Optuna is not installed.
    """
    optuna = load_optuna()
    (seed,) = np.random.SeedSequence([search.seed, len(known)]).generate_state(1)
    drawn = max(1, min(MOST_DRAWN, search.combinations // DRAWN_SHARE))
    sampler = optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=drawn, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    spaces = {name: _distribution(optuna, values) for name, values in search.over.items()}
    for choice, reached in known:
        outcome = {"value": reached} if math.isfinite(reached) else {"state": optuna.trial.TrialState.FAIL}
        params = {name: _told(search.over[name], value) for name, value in choice.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, **outcome))
    count = max(0, min(search.round, search.combinations - len(known)))
    asked = [study.ask(spaces).params for _ in range(count)]
    return [{name: _meant(search.over[name], trial[name]) for name in search.over} for trial in asked]


def _distribution(optuna: Any, values: Values) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(tuple(range(len(values))))
    if whole(values.low, values.high):
        return optuna.distributions.IntDistribution(values.low, values.high, values.log, values.step or 1)
    return optuna.distributions.FloatDistribution(values.low, values.high, values.log, values.step)


def _told(values: Values, value: Any) -> Any:
    """A setting's value as Optuna has it: one of several by its place, since it may be a list."""
    return value if isinstance(values, Range) else values.index(value)


def _meant(values: Values, value: Any) -> Any:
    return value if isinstance(values, Range) else values[value]


def load_optuna() -> Any:
    """Optuna, told to be quiet.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as fault:
        raise ConfigError(
            f"a search needs Optuna: pip install 'chorus-marl[search]' ({fault}); or write vary: with lists of values"
        ) from fault
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
