"""`episode.gif`: the team at play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import ConfigError
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.evaluation.line_up import Rival, line_up

Picture = NDArray[np.uint8]

FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500


def film(
    config: Config,
    policy: PolicyVersion,
    path: Path,
    seed: int,
    greedy: bool = False,
    untrained: str | None = None,
    rival: Rival | None = None,
) -> bool:
    """Play one fresh episode and write it as a GIF, or as an MP4 where the path ends so; return False if the
    environment has no pictures.

    Args:
        config: the run's.
        policy: the version to play by.
        path: of the film.
        seed: of the episode.
        greedy: take the likeliest action instead of a sample.
        untrained: glob pattern of the agents that play by the weights the run began with; None for nobody.
        rival: another run whose policy plays for some of the agents; None for none.
    """
    environment = make(config.environment.spec, render=True)
    try:
        sides = line_up(config, environment.spec, policy, untrained, rival)
        player = Player(environment, sides.policies, seed, greedy)
        _, pictures = shoot(player, sides.version, Task(0, Purpose.EVALUATION, 0), 1)
    finally:
        environment.close()
    return write_mp4(pictures, path) if path.suffix == ".mp4" else write_gif(pictures, path)


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


def check_video() -> Any:
    """What writes MP4 files.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError as fault:
        raise ConfigError("MP4 needs imageio-ffmpeg: pip install 'chorus-marl[video]', or film a GIF") from fault
    return imageio_ffmpeg


def write_mp4(pictures: list[Picture], path: Path) -> bool:
    """Write pictures as an MP4 that every browser plays (H.264, yuv420p); return False if there are none."""
    if not pictures:
        return False
    height, width = pictures[0].shape[:2]
    last = [pictures[-1]] * (LAST_FRAME_MILLISECONDS // FRAME_MILLISECONDS)
    writer = check_video().write_frames(
        str(path), (width, height), fps=1000 // FRAME_MILLISECONDS, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        for picture in [*pictures, *last]:
            writer.send(np.ascontiguousarray(picture[..., :3]))
    finally:
        writer.close()
    return True
