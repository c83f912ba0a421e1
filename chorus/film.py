"""`episode.gif`: the team at play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from actor.rollout import Player
from common.config import Config
from common.environments import make
from common.sharing import divide
from common.task import Purpose, Task
from common.weights import PolicyVersion

FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500


def film(config: Config, policy: PolicyVersion, path: Path, seed: int, greedy: bool = False) -> bool:
    """Play one fresh episode and write it as a GIF; return False if the environment has no pictures."""
    environment = make(config.environment.spec, render=True)
    pictures: list[NDArray[np.uint8]] = []

    def on_frame() -> None:
        picture = environment.render()
        if picture is not None:
            pictures.append(picture.copy())

    try:
        player = Player(environment, divide(environment.spec, config.sharing), seed, greedy)
        player.play(policy, Task(0, Purpose.EVALUATION, 0), 1, on_frame=on_frame)
    finally:
        environment.close()
    if not pictures:
        return False
    first, *rest = [Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE) for picture in pictures]
    durations = [FRAME_MILLISECONDS] * len(rest) + [LAST_FRAME_MILLISECONDS]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)
    return True
