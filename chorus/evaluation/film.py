"""`episode.gif`: the team at play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.evaluation.line_up import line_up

Picture = NDArray[np.uint8]

FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500


def film(
    config: Config, policy: PolicyVersion, path: Path, seed: int, greedy: bool = False, untrained: str | None = None
) -> bool:
    """Play one fresh episode and write it as a GIF; return False if the environment has no pictures.

    Args:
        config: the run's.
        policy: the version to play by.
        path: of the film.
        seed: of the episode.
        greedy: take the likeliest action instead of a sample.
        untrained: glob pattern of the agents that play by the weights the run began with; None for nobody.
    """
    environment = make(config.environment.spec, render=True)
    try:
        sides = line_up(config, environment.spec, policy, untrained)
        player = Player(environment, sides.policies, seed, greedy)
        _, pictures = shoot(player, sides.version, Task(0, Purpose.EVALUATION, 0), 1)
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
