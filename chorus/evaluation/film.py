"""`episode.gif`: the team at play."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import ConfigError
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import Trajectory
from chorus.evaluation.line_up import Rival, line_up
from chorus.learner.gradient.returns import split_rewards

Picture = NDArray[np.uint8]

FRAME_MILLISECONDS = 100
LAST_FRAME_MILLISECONDS = 1500
STRIP = 22
LEAST_WIDTH = 220
"""Pixels: the height of the caption, and the width that it takes."""


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
        trajectory, pictures = shoot(player, sides.version, Task(0, Purpose.EVALUATION, 0), 1)
        said = captions(trajectory, config, environment.spec.team_reward, policy.version)
    finally:
        environment.close()
    return write_mp4(pictures, path, said) if path.suffix == ".mp4" else write_gif(pictures, path, said)


def shoot(
    player: Player,
    policy: PolicyVersion,
    task: Task,
    episodes: int,
    filming: bool = True,
    past: Mapping[int, PolicyVersion] | None = None,
) -> tuple[Trajectory, list[Picture]]:
    """Play a task and take a picture of its first episode at every step, if there are any to be had."""
    pictures: list[Picture] = []

    def on_frame() -> None:
        picture = player.environment.render() if filming else None
        if picture is not None:
            pictures.append(picture.copy())

    trajectory = player.play(policy, task, episodes, on_frame=on_frame, past=past)
    return trajectory, pictures[: int(trajectory.lengths[0]) + 1]


def captions(trajectory: Trajectory, config: Config, team_reward: bool, version: int) -> list[str]:
    """What stands under each picture of a task's first episode: the step, and the mixed return so far of all agents."""
    length = int(trajectory.lengths[0])
    individual, team = split_rewards(trajectory, config, team_reward)
    agents = individual.shape[-1]
    weights = value_at(config.reward.individual, version), value_at(config.reward.team, version)
    mixed = weights[0] * individual[:length, 0].sum(axis=-1) + weights[1] * agents * team[:length, 0]
    so_far = np.concatenate([[0.0], np.cumsum(mixed)])
    return [f"step {step} of {length}   return {value:.2f}" for step, value in enumerate(so_far)]


def write_gif(pictures: list[Picture], path: Path, said: list[str]) -> bool:
    """Write pictures as a GIF, each with its caption; return False if there are none."""
    if not pictures:
        return False
    first, *rest = [picture.convert("P", palette=Image.Palette.ADAPTIVE) for picture in _captioned(pictures, said)]
    durations = [FRAME_MILLISECONDS] * len(rest) + [LAST_FRAME_MILLISECONDS]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)
    return True


def _captioned(pictures: list[Picture], said: list[str]) -> list[Image.Image]:
    under = said[len(said) - len(pictures) :]  # one that cannot draw before its first step begins later
    return [_caption(Image.fromarray(picture), words) for picture, words in zip(pictures, under, strict=True)]


def _caption(picture: Image.Image, words: str) -> Image.Image:
    """The picture with a strip below it in which the words stand."""
    width = max(picture.width, LEAST_WIDTH)
    whole = Image.new("RGB", (width, picture.height + STRIP), (255, 255, 255))
    whole.paste(picture, ((width - picture.width) // 2, 0))
    pen = ImageDraw.Draw(whole)
    pen.text((6, picture.height + STRIP // 2), words, fill=(40, 40, 40), anchor="lm", font=ImageFont.load_default(13))
    return whole


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


def write_mp4(pictures: list[Picture], path: Path, said: list[str]) -> bool:
    """Write pictures as an MP4 that every browser plays (H.264, yuv420p), each with its caption; False if there are
    none."""
    if not pictures:
        return False
    frames = _captioned(pictures, said)
    last = [frames[-1]] * (LAST_FRAME_MILLISECONDS // FRAME_MILLISECONDS)
    writer = check_video().write_frames(
        str(path), frames[0].size, fps=1000 // FRAME_MILLISECONDS, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        for frame in [*frames, *last]:
            writer.send(frame.tobytes())
    finally:
        writer.close()
    return True
