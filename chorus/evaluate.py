"""`chorus evaluate DIR`: fresh episodes by a run's policy, and what they brought."""

from __future__ import annotations

import argparse
import hashlib
import json
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actor.rollout import Player
from chorus.film import film
from common.config import Config
from common.environments import make
from common.errors import RunFolderError
from common.schedule import value_at
from common.sharing import divide
from common.task import Purpose, Task
from common.weights import PolicyVersion, check
from learner.checkpoint import load_newest
from learner.returns import split_rewards
from learner.run_folder import read_config

Values = NDArray[np.float64]


def evaluate(options: argparse.Namespace) -> int:
    """Play, print a summary, film an episode if asked to."""
    config = read_config(options.dir)
    policy = newest_policy(options.dir)
    measured = play(config, policy, options.episodes, options.seed, options.greedy)
    summary = {name: summarise(values) for name, values in measured.items()}
    if options.json:
        about = {
            "episodes": options.episodes,
            "seed": options.seed,
            "greedy": options.greedy,
            "policy_version": policy.version,
        }
        print(json.dumps(about | summary, indent=2))
    else:
        how = "greedy" if options.greedy else "sampling"
        print(f"{options.episodes} episodes by policy version {policy.version}, {how}")
        for name, figures in summary.items():
            print(f"  {name:18} {figures['mean']:10.3f} +- {figures['confidence_95']:.3f}")
    if options.gif is not None and not film(config, policy, options.gif, options.seed, options.greedy):
        raise RunFolderError(
            f"{config.environment.spec} has no pictures, so there is nothing to write to {options.gif}"
        )
    return 0


def newest_policy(run: Path) -> PolicyVersion:
    """The final policy of a run, or that of its newest checkpoint.

    Raises:
        RunFolderError: there is neither.
    """
    final = run / "final" / "policy.safetensors"
    if final.exists():
        data = final.read_bytes()
        return check(PolicyVersion(read_config(run).updates, data, hashlib.sha256(data).digest()))
    checkpoint = load_newest(run / "checkpoints")
    if checkpoint is None:
        raise RunFolderError(f"{run} holds no weights; is it a run folder?")
    return checkpoint.versions[checkpoint.counters.update]


def play(config: Config, policy: PolicyVersion, episodes: int, seed: int, greedy: bool) -> dict[str, Values]:
    """Returns and lengths of `episodes` fresh episodes, each float64 `[episode]`; returns are summed over agents."""
    environment = make(config.environment.spec)
    spec = environment.spec
    player = Player(environment, divide(spec, config.sharing), seed, greedy)
    individual, team, lengths = [], [], []
    try:
        for index in range(-(-episodes // config.episodes)):
            trajectory = player.play(policy, Task(0, Purpose.EVALUATION, index), config.episodes)
            own, shared = split_rewards(trajectory, config, spec.team_reward)
            individual.append(own.sum(axis=(0, 2)))
            team.append(shared.sum(axis=0) * len(spec.agents))
            lengths.append(trajectory.lengths.astype(np.float64))
    finally:
        environment.close()
    of_individual, of_team = np.concatenate(individual)[:episodes], np.concatenate(team)[:episodes]
    weights = value_at(config.reward.individual, policy.version), value_at(config.reward.team, policy.version)
    return {
        "mixed_return": weights[0] * of_individual + weights[1] * of_team,
        "individual_return": of_individual,
        "team_return": of_team,
        "episode_length": np.concatenate(lengths)[:episodes],
    }


def summarise(values: Values) -> dict[str, float]:
    """Mean, standard deviation, and the half-width of the mean's 95 % confidence interval (normal approximation)."""
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(values.mean()), "deviation": deviation, "confidence_95": 1.96 * deviation / sqrt(len(values))}
