"""A setting that may change over a run: a number, or a rule from update number to number."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number as a function of the update.

    Attributes:
        kind: `linear` and `cosine` go from `start` to `end` in `over` updates and stay there; `steps` starts at
            `start` and changes at each update of `at` to the value there.
        start: the value at update 0.
        end: the value from update `over` on (`linear`, `cosine`).
        over: number of updates from `start` to `end` (`linear`, `cosine`); `null` for the whole run, whatever its
            length. A run keeps what it began with when it is given more updates later.
        at: pairs of (update, value), updates increasing (`steps`).
    """

    kind: Literal["linear", "cosine", "steps"]
    start: float
    end: float = 0.0
    over: Annotated[int, msgspec.Meta(ge=1)] | None = None
    at: tuple[tuple[Annotated[int, msgspec.Meta(ge=1)], float], ...] = ()

    def __post_init__(self) -> None:
        updates = [update for update, _ in self.at]
        if (self.kind == "steps") != bool(self.at):
            raise ValueError("`at` belongs to kind `steps`, which needs at least one pair of (update, value)")
        if updates != sorted(set(updates)):
            raise ValueError(f"`at` must have increasing updates, but has {updates}")


def spread_over(setting: float | Schedule | None, updates: int) -> float | Schedule | None:
    """The setting for a run of so many updates: a way without a length takes them all."""
    if not isinstance(setting, Schedule) or setting.kind == "steps" or setting.over is not None:
        return setting
    return msgspec.structs.replace(setting, over=updates)


def value_at(setting: float | Schedule | None, update: int) -> float:
    """The value of a setting at an update.

    Raises:
        ValueError: the setting has none yet; `chorus.common.settings.config.resolve` was not called.
    """
    if setting is None:
        raise ValueError("the setting is not resolved; call chorus.common.settings.config.resolve first")
    if not isinstance(setting, Schedule):
        return float(setting)
    if setting.kind == "steps":
        return next((value for at, value in reversed(setting.at) if at <= update), setting.start)
    if setting.over is None:
        raise ValueError("the schedule has no length; call chorus.common.settings.config.resolve first")
    way = min(update / setting.over, 1.0)
    if setting.kind == "cosine":
        way = (1.0 - math.cos(math.pi * way)) / 2.0
    return setting.start + way * (setting.end - setting.start)


def extremes(setting: float | Schedule) -> tuple[float, float]:
    """The least and the greatest value that a setting ever takes."""
    if not isinstance(setting, Schedule):
        return float(setting), float(setting)
    values = [setting.start, *(value for _, value in setting.at)]
    if setting.kind != "steps":
        values.append(setting.end)
    return min(values), max(values)
