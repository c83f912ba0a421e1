"""What a team reaches that chooses by chance alone: the line that every curve is to be held against."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

from chorus.common.errors import RunFolderError
from chorus.common.policy.weights import PolicyVersion, make
from chorus.common.settings.config import Config
from chorus.evaluation.evaluate import play

FILE = "random_play.json"
SEED = 0
EPISODES = (32, 256)
"""At least and at most so many."""
STEPS = 20_000
"""Between those, about so many environment steps: some environments take seconds for an episode."""


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
    policies = make(config.updates, tensors)
    one_task = play(config, policies, config.episodes, SEED, greedy=False)
    length = max(1.0, float(one_task["episode_length"].mean()))
    episodes = min(max(round(STEPS / length), EPISODES[0]), EPISODES[1])
    returns = play(config, policies, episodes, SEED, greedy=False)["mixed_return"]
    found = RandomPlay(round(float(returns.mean()), 6), episodes)
    (run / FILE).write_text(json.dumps(msgspec.to_builtins(found), indent=2) + "\n", encoding="utf-8")
    return found


def read(run: Path) -> RandomPlay | None:
    """What was measured; None if nothing was.

    Raises:
        RunFolderError: the file is none of ours.
    """
    path = run / FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=RandomPlay)
    except msgspec.MsgspecError as fault:
        raise RunFolderError(f"{path} cannot be read: {fault}; remove it, and it is made anew") from fault
