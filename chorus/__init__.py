"""Chorus trains a team of agents with one shared recurrent policy, on any number of machines.

The rooms `actor`, `common`, `learner`, `protos`, `studies` and `benchmarks` stand at the top of the repository and are
parts of this package by links. Beside them: `api` (what Python code calls), `commands` (what a person types) and what
both of them do.

    import chorus

    run = chorus.train("spread?agents=3", updates=40, out="runs/first")
    policy = chorus.load("runs/first")

The names below are imported when they are first asked for: `import chorus` itself takes milliseconds, and the command
line can set up arithmetic before NumPy is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chorus.api.callbacks import Callback, Progress
    from chorus.api.environments import register_env
    from chorus.api.evaluate import Evaluation, evaluate
    from chorus.api.export import export
    from chorus.api.policy import Policy, State, load
    from chorus.api.run import Run
    from chorus.api.team import Team
    from chorus.api.train import train, training
    from chorus.common.errors import ChorusError
    from chorus.sweeps.sweep import sweep

_HOMES = {
    "Callback": "chorus.api.callbacks",
    "ChorusError": "chorus.common.errors",
    "Evaluation": "chorus.api.evaluate",
    "Policy": "chorus.api.policy",
    "Progress": "chorus.api.callbacks",
    "Run": "chorus.api.run",
    "State": "chorus.api.policy",
    "Team": "chorus.api.team",
    "evaluate": "chorus.api.evaluate",
    "export": "chorus.api.export",
    "load": "chorus.api.policy",
    "register_env": "chorus.api.environments",
    "sweep": "chorus.sweeps.sweep",
    "train": "chorus.api.train",
    "training": "chorus.api.train",
}
"""Where each public name is defined."""

__all__ = [
    "Callback",
    "ChorusError",
    "Evaluation",
    "Policy",
    "Progress",
    "Run",
    "State",
    "Team",
    "evaluate",
    "export",
    "load",
    "register_env",
    "sweep",
    "train",
    "training",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chorus' has no attribute {name!r}; it offers {', '.join(__all__)}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
