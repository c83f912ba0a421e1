"""What is told of a run, as plain values for a page: how it stands, its curves, its settings, what went wrong.

All of it comes from the run folder; a learner at work adds what only it knows (`live`): actors, accounts, timing.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.page.curves import Record, Values, evaluations, plain, thinned
from chorus.common.settings.plain import read

Story = dict[str, Any]

LOG_BYTES = 65_536
"""So much of the end of a run's log is searched for what went wrong."""
TROUBLES_TOLD = 20
LEVELS = ("warning", "error", "critical")
RECENT_SHARE = 20
"""Speed now is that of the last 20th of the run, at least of ten updates."""


class RunStory:
    """Tells of the run in one folder, again and again as it goes on."""

    def __init__(self, run: Path) -> None:
        """A folder that holds a run, or will."""
        self.path = run
        self._record = Record(run / "metrics.csv")

    def tell(self, live: Story | None = None, points: int = 400) -> Story:
        """How the run stands now.

        Args:
            live: what its learner adds; its fields stand beside the folder's, or in their place.
            points: that a curve has at most.

        Raises:
            ChorusError: the folder holds something else than a run.
        """
        settings = read_settings(self.path)
        about = settings.pop("run", None) or {}
        self._record.follow()
        values = self._record.values()
        story: Story = {
            "name": self.path.name or str(self.path),
            "folder": str(self.path),
            "run": str(about.get("id", "")),
            "chorus": str((about.get("fingerprint") or {}).get("chorus", "")),
            "environment": str((settings.get("environment") or {}).get("spec", "")),
            "updates": int(settings.get("updates") or 0),
            "state": self._state(),
            "settings": flat(settings),
            "remarks": [str(reason) for reason in about.get("not_reproducible", [])],
            "troubles": troubles(self.path / "log.jsonl"),
            "chance": chance(self.path / "random_play.json"),
            "films": [film.name for film in newest_films(self.path)],
            **_standing(values),
            "curves": thinned(values, points),
            "evaluations": evaluations(values, points),
        }
        return story | (live or {})

    def values(self) -> dict[str, Values]:
        """All columns of the record, unthinned."""
        self._record.follow()
        return self._record.values()

    def _state(self) -> str:
        if is_held(self.path / "lock"):
            return "training"
        return "finished" if (self.path / "final" / "policy.safetensors").exists() else "stopped"


def _standing(values: dict[str, Values]) -> Story:
    """The figures of the newest update, and what the last stretch of the run was like."""
    if not values:
        return {"update": 0}
    count = len(values["update"])
    stretch = slice(-min(count, max(10, count // RECENT_SHARE)), None)
    last = {name: plain(values[name][-1:])[0] for name in ("env_steps", "agent_steps", "seconds", "policy_lag")}
    steps, seconds = (values[name][stretch] for name in ("agent_steps", "seconds"))
    rate = float(values["agent_steps"][-1] / max(values["seconds"][-1], 1e-9))
    if count > 1 and seconds[-1] > seconds[0]:
        rate = float((steps[-1] - steps[0]) / (seconds[-1] - seconds[0]))
    standing: Story = {
        **last,
        "update": int(values["update"][-1]) + 1,
        "return": plain(values["mixed_return"][stretch].mean(keepdims=True))[0],
        "rate": round(rate, 1),
        "seconds_per_update": float((seconds[-1] - seconds[0]) / max(len(seconds) - 1, 1)),
    }
    spent = {name: values[column] for name, column in SPENT.items() if column in values}
    if spent:
        standing["spent"] = {name: float(np.nansum(column)) for name, column in spent.items()}
    return standing


SPENT = {
    "waiting for episodes, and their first gradient": "batch_seconds",
    "optimiser steps, with the later passes": "step_seconds",
}
"""Parts of an update's wall-clock time that are in the record, in words."""


def read_settings(run: Path) -> dict[str, Any]:
    """`config.yaml` as plain values.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    path = run / "config.yaml"
    if not path.exists():
        raise ConfigError(f"{path} does not exist; is {run} a run folder?")
    return read(path)


def flat(settings: Any, prefix: str = "") -> dict[str, str]:
    """Settings by their full names, `optimiser.learning_rate`, as text."""
    if isinstance(settings, dict) and (settings or not prefix):
        found: dict[str, str] = {}
        for key, value in settings.items():
            found |= flat(value, f"{prefix}.{key}".strip("."))
        return found
    if settings is None:
        return {prefix: "none"}
    return {prefix: json.dumps(settings) if isinstance(settings, dict | list | bool) else str(settings)}


def troubles(path: Path) -> list[Story]:
    """The newest warnings and errors of a run's log: when, how grave, and in words; newest last."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:  # the first line may be torn, and programs may write other things
            continue
        if isinstance(event, dict) and event.get("level") in LEVELS:
            found.append(
                {"time": str(event.get("time", "")), "level": str(event["level"]), "text": in_words(event)},
            )
    return found[-TROUBLES_TOLD:]


def chance(path: Path) -> float | None:
    """What a team reaches that chooses by chance alone, if that was measured (`chorus/evaluation/random_play.py`).

    Raises:
        RunFolderError: the file is none of ours.
    """
    if not path.exists():
        return None
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["mixed_return"])
    except (ValueError, TypeError, KeyError) as fault:
        raise RunFolderError(f"{path} cannot be read: {fault!r}; remove it") from fault


_NOT_TOLD = frozenset({"time", "level", "logger", "event", "run", "traceback"})

_SENTENCES = frozenset({"fault", "why", "error"})
"""Fields that say it all by themselves."""


def in_words(event: Story) -> str:
    """An event of the log as a sentence: what happened, then the particulars."""
    particulars = [
        str(value) if key in _SENTENCES else f"{key} {value}" for key, value in event.items() if key not in _NOT_TOLD
    ]
    return ": ".join([str(event.get("event", "something happened")), ", ".join(particulars)]).rstrip(": ")


def newest_films(run: Path) -> list[Path]:
    """The run's films, newest first."""
    return sorted(run.glob("*.gif"), key=lambda film: film.stat().st_mtime, reverse=True)


def is_held(lock: Path) -> bool:
    """Whether a learner of this machine is at work: seen in the kernel's list, so that looking never takes the lock."""
    locks = Path("/proc/locks")
    if not lock.exists() or not locks.exists():
        return False
    wanted = f":{lock.stat().st_ino}"
    return any(
        len(parts) > 5 and parts[1] == "FLOCK" and parts[5].endswith(wanted)
        for parts in (line.split() for line in locks.read_text().splitlines())
    )


def final_return(values: dict[str, Values]) -> float:
    """What a run reached: the mean of its last two evaluations, or of the last 20th of its updates if it has none."""
    if not values:
        return math.nan
    evaluated = values.get("evaluation_return", np.array([]))
    evaluated = evaluated[np.isfinite(evaluated)]
    if len(evaluated):
        return float(evaluated[-2:].mean())
    returns = values["mixed_return"]
    return float(returns[-max(1, len(returns) // RECENT_SHARE) :].mean())
