"""What a team reaches that chooses by chance alone: the line that every curve is to be held against."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.settings.config import Config
from chorus.evaluation.evaluate import play

FILE = "random_play.json"
EPISODES = 64
SEED = 0


class RandomPlay(msgspec.Struct, frozen=True):
    """How `random_play.json` tells of it: the mean mixed return of so many episodes."""

    mixed_return: float
    episodes: int


def measure(run: Path, config: Config, policy: PolicyVersion) -> RandomPlay:
    """Play by chance and write it into the run's folder, unless that has been done.

    Args:
        run: its folder.
        config: the run's.
        policy: any of its versions; with all weights 0, every action that is allowed is as likely as any other, and a
            continuous one is drawn around the middle of its range.
    """
    if (known := read(run)) is not None:
        return known
    tensors = {
        name: np.zeros_like(value) if value.dtype == np.float32 and not name.endswith("log_std") else value
        for name, value in policy.tensors().items()
    }
    returns = play(config, make(config.updates, tensors), EPISODES, SEED, greedy=False)["mixed_return"]
    found = RandomPlay(round(float(returns.mean()), 6), EPISODES)
    (run / FILE).write_text(json.dumps(msgspec.to_builtins(found), indent=2) + "\n", encoding="utf-8")
    return found


def read(run: Path) -> RandomPlay | None:
    """What was measured; None if nothing was, or it cannot be read."""
    path = run / FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=RandomPlay)
    except msgspec.MsgspecError:
        return None
