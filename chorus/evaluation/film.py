"""`episode.gif`: the team at play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory

Picture = NDArray[np.uint8]

FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500


def film(config: Config, policy: PolicyVersion, path: Path, seed: int, greedy: bool = False) -> bool:
    """Play one fresh episode and write it as a GIF; return False if the environment has no pictures."""
    environment = make(config.environment.spec, render=True)
    try:
        player = Player(environment, divide(environment.spec, config.sharing, config.network), seed, greedy)
        _, pictures = shoot(player, policy, Task(0, Purpose.EVALUATION, 0), 1)
    finally:
        environment.close()
    return write_gif(pictures, path)


def shoot(
    player: Player, policy: PolicyVersion, task: Task, episodes: int, filming: bool = True
) -> tuple[Trajectory, list[Picture]]:
    """Play a task and take a picture of its first episode at every step, if there are any to be had."""
    pictures: list[Picture] = []

    def on_frame() -> None:
        picture = player.environment.render() if filming else None
        if picture is not None:
            pictures.append(picture.copy())

    return player.play(policy, task, episodes, on_frame=on_frame), pictures


def write_gif(pictures: list[Picture], path: Path) -> bool:
    """Write pictures as a GIF; return False if there are none."""
    if not pictures:
        return False
    first, *rest = [Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE) for picture in pictures]
    durations = [FRAME_MILLISECONDS] * len(rest) + [LAST_FRAME_MILLISECONDS]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)
    return True
