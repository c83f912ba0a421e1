"""An evaluation's episodes, task by task, here or in processes side by side: the same numbers wherever that is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import ChorusError
from chorus.common.process import program
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose, Task
from chorus.evaluation.line_up import LineUp, Rival, line_up
from chorus.learner.gradient.returns import split_rewards
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import newest_policy

Values = NDArray[np.float64]

WORTH_SECONDS = 4.0
"""A process of its own needs about two seconds to start: less work than this is done here."""


@dataclass(frozen=True)
class Match:
    """Who plays, and how: all that a process needs to know to play its share.

    Attributes:
        run: the run folder.
        seed: of the episodes.
        greedy: take the likeliest action instead of a sample.
        untrained: glob pattern of the agents that play by the weights the run began with; None for nobody.
        rival: another run's folder, for cross-play; None for none.
        agents: glob pattern of the agents that play by the rival's policy.
    """

    run: str
    seed: int = 0
    greedy: bool = False
    untrained: str | None = None
    rival: str | None = None
    agents: str = "*"


@dataclass(frozen=True)
class Played:
    """What one task of K episodes by N agents brought, undiscounted and unmixed.

    Attributes:
        individual: float64 `[episode, agent]`.
        team: float64 `[episode]`.
        lengths: float64 `[episode]`, in steps.
    """

    individual: Values
    team: Values
    lengths: Values


def rival_of(match: Match) -> Rival | None:
    """The other side of a cross-play."""
    if match.rival is None:
        return None
    run = Path(match.rival)
    return Rival(run.name, read_config(run), newest_policy(run), match.agents)


def play_here(match: Match, tasks: list[int], keep: Path | None = None) -> Iterator[Played]:
    """Play tasks one after another in this process; `keep` names a folder for their trajectories."""
    config = read_config(Path(match.run))
    policy = newest_policy(Path(match.run))
    environment = make(config.environment.spec)
    try:
        sides = line_up(config, environment.spec, policy, match.untrained, rival_of(match))
        player = Player(environment, sides.policies, match.seed, match.greedy, config.instances)
        for index in tasks:
            yield play_task(config, player, sides, index, keep)
    finally:
        environment.close()


def play_task(config: Config, player: Player, sides: LineUp, index: int, keep: Path | None = None) -> Played:
    """Play one task."""
    trajectory = player.play(sides.version, Task(0, Purpose.EVALUATION, index), config.episodes)
    if keep is not None:
        arrays = {name: np.ascontiguousarray(array) for name, array in trajectory.arrays.items()}
        save_file(arrays, keep / f"{index:06d}.safetensors")
    own, shared = split_rewards(trajectory, config, player.environment.spec.team_reward)
    return Played(own.sum(axis=0), shared.sum(axis=0), trajectory.lengths.astype(np.float64))


def play_tasks(match: Match, count: int, jobs: int | None = None, keep: Path | None = None) -> list[Played]:
    """Tasks 0 to `count` - 1, in order.

    Args:
        match: who plays.
        count: how many tasks.
        jobs: processes side by side; None for as many as there are cores, if the work is worth starting them.
        keep: a folder for trajectories; None keeps none.

    Raises:
        ChorusError: what is played is at fault, or a process ended early.
    """
    first: list[Played] = []
    if jobs is None:
        began = time.monotonic()
        here = play_here(match, list(range(count)), keep)
        first.append(next(here))
        jobs = len(os.sched_getaffinity(0))
        if (time.monotonic() - began) * (count - 1) < WORTH_SECONDS:
            return [*first, *here]
        here.close()  # type: ignore[attr-defined]
    if jobs == 1 or count - len(first) < 2:
        return [*first, *play_here(match, list(range(len(first), count)), keep)]
    left = list(range(len(first), count))
    shares = [left[worker::jobs] for worker in range(min(jobs, len(left)))]
    with ThreadPoolExecutor(len(shares), thread_name_prefix="evaluation") as pool:
        results = list(pool.map(lambda share: _elsewhere(match, share, keep), shares))
    played = {index: result for share in results for index, result in share.items()}
    return [*first, *(played[index] for index in left)]


def _elsewhere(match: Match, tasks: list[int], keep: Path | None) -> dict[int, Played]:
    """Play tasks in a process of their own."""
    order = {"match": vars(match), "tasks": tasks, "keep": None if keep is None else str(keep)}
    done = subprocess.run(
        program.module_command("chorus.evaluation.worker"), input=json.dumps(order).encode(), capture_output=True
    )
    if done.returncode:
        raise ChorusError(f"an evaluation's process ended with {done.returncode}: {_last_words(done.stderr)}")
    return {
        index: Played(*(np.array(told[name], np.float64) for name in ("individual", "team", "lengths")))
        for index, told in zip(tasks, map(json.loads, done.stdout.splitlines()), strict=True)
    }


def _last_words(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def work() -> None:
    """The process's side: an order on standard input, a line of JSON for each task on standard output."""
    order: dict[str, Any] = json.load(sys.stdin)
    results, sys.stdout = sys.stdout, sys.stderr  # environments may print
    keep = None if order["keep"] is None else Path(order["keep"])
    for played in play_here(Match(**order["match"]), order["tasks"], keep):
        told = {name: getattr(played, name).tolist() for name in ("individual", "team", "lengths")}
        results.write(json.dumps(told) + "\n")
    results.flush()
