"""What a single environment answers, read with care: numbers, flags, dictionaries by agent. Nothing is bent to fit.

What is plain (a Python float, `True`) never comes here: `lockstep` takes it as it is.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from chorus.common.errors import EnvironmentFault

PLAIN_NUMBERS = frozenset({float, int, np.float32, np.float64})
NUMERIC = "biuf"
"""The kinds of NumPy's dtypes that are real numbers."""
SHOWN = 80


def number(value: Any, who: str, field: str) -> float:
    """A real number, or an array of one.

    Raises:
        EnvironmentFault: it is something else, as None, a text, or two numbers.
    """
    if isinstance(value, numbers.Real):
        return float(value)
    array = _array(value)
    if array is None or array.size != 1 or array.dtype.kind not in NUMERIC:
        raise EnvironmentFault(f"{who}: {field} is {_shown(value)}; give one number")
    return float(array.reshape(())[()])


def flag(value: Any, who: str, field: str) -> bool:
    """True or False, 1 or 0, or an array of one of these.

    Raises:
        EnvironmentFault: it is something else.
    """
    array = _array(value)
    if array is None or array.size != 1 or array.dtype.kind not in NUMERIC or array.reshape(())[()] not in (0, 1):
        raise EnvironmentFault(f"{who}: {field} is {_shown(value)}; give True or False")
    return bool(array.reshape(())[()])


def results_of_reset(results: Any, who: str) -> tuple[Any, Any]:
    """The two results of a Gymnasium environment's `reset`.

    Raises:
        EnvironmentFault: they are not two.
    """
    if not isinstance(results, tuple | list) or len(results) != 2:
        raise EnvironmentFault(f"{who}: reset returned {_shown(results)}; return (observations, info)")
    return results[0], results[1]


def results_of_step(results: Any, who: str) -> tuple[Any, ...]:
    """The results of a Gymnasium environment's `step`, old Gym's four among them.

    Raises:
        EnvironmentFault: they are not five, nor four.
    """
    if not isinstance(results, tuple | list) or len(results) not in (4, 5):
        raise EnvironmentFault(
            f"{who}: step returned {_shown(results)}; return (observations, rewards, terminated, truncated, info)"
        )
    return tuple(results)


def begun(results: Any, who: str) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """Observations and infos, as `reset` gives them.

    Raises:
        EnvironmentFault: they are not two dictionaries; infos may be None.
    """
    if not isinstance(results, tuple | list) or len(results) != 2:
        raise EnvironmentFault(f"{who}: reset returned {_shown(results)}; return (observations, infos)")
    return by_agent(results[0], who, "observations"), by_agent(results[1], who, "infos", may_lack=True)


def stepped(results: Any, who: str) -> tuple[Mapping[Any, Any], ...]:
    """Observations, rewards, terminations, truncations and infos, as `step` gives them.

    Raises:
        EnvironmentFault: they are not five dictionaries; infos may be None.
    """
    if not isinstance(results, tuple | list) or len(results) != 5:
        raise EnvironmentFault(
            f"{who}: step returned {_shown(results)}; return (observations, rewards, terminations, truncations, infos)"
        )
    fields = ("observations", "rewards", "terminations", "truncations", "infos")
    return tuple(
        value if type(value) is dict else by_agent(value, who, field, may_lack=field == "infos")
        for field, value in zip(fields, results, strict=True)
    )


def by_agent(value: Any, who: str, field: str, may_lack: bool = False) -> Mapping[Any, Any]:
    """A dictionary; an empty one for None where it may be lacking.

    Raises:
        EnvironmentFault: it is none.
    """
    if value is None and may_lack:
        return {}
    if not isinstance(value, Mapping):
        raise EnvironmentFault(f"{who}: {field} is {_shown(value)}; give a dictionary by agent")
    return value


def info_of(infos: Mapping[Any, Any], name: Any, who: str) -> Mapping[Any, Any]:
    """One agent's info, empty where there is none."""
    info = infos.get(name)
    return info if type(info) is dict else by_agent(info, f"{who}, agent {name!r}", "its info", may_lack=True)


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    try:
        return np.asarray(value)
    except (ValueError, TypeError):  # ragged lists, and objects that refuse
        return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
