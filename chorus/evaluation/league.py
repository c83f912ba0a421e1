"""`chorus league DIR`: whether the newest version holds against all that went before, as a table of all against all."""

from __future__ import annotations

import argparse
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from chorus.actor.rollout import Player
from chorus.common.environments import make as make_environment
from chorus.common.environments.interface import Environment
from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.policy.opponents import FROZEN
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion, Tensors, make
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.gradient.returns import split_rewards
from chorus.learner.storage.checkpoint import load_newest
from chorus.learner.storage.run_folder import read_config


def league(options: argparse.Namespace) -> int:
    """Play every pair, print a table for each side.

    Raises:
        ConfigError: the run has no opponents.
        RunFolderError: it has no checkpoint.
    """
    config = read_config(options.dir)
    if not config.opponents:
        raise ConfigError(f"{options.dir} keeps no past versions to play against: it was trained without `opponents`")
    checkpoint = load_newest(options.dir / "checkpoints")
    if checkpoint is None:
        raise RunFolderError(f"{options.dir} holds no weights; is it a run folder?")
    *past, newest = sorted(number for number in checkpoint.versions if number < FROZEN)
    numbers = [*past[:: -options.every][::-1], newest]
    environment = make_environment(config.environment.spec)
    try:
        for pattern in config.opponents:
            print(
                f"mean return of {pattern}, an agent and episode, by the version of the row; all others by the column's"
            )
            print("        " + "".join(f"{number:>8}" for number in numbers))
            found: dict[int, NDArray[np.float64]] = {}
            for row in numbers:
                found[row] = np.stack(
                    [
                        side_returns(
                            config,
                            environment,
                            pattern,
                            (checkpoint.versions[row], checkpoint.versions[column]),
                            options.episodes,
                            options.seed,
                        )
                        for column in numbers
                    ]
                )
                print(f"{row:>8}" + "".join(f"{value:8.2f}" for value in found[row].mean(axis=1)), flush=True)
            print(f"by how much {newest} does better than an older version, over all opponents above: 95 % interval")
            for row in numbers[:-1]:
                print(f"{row:>8}  {told(found[newest] - found[row])}", flush=True)
    finally:
        environment.close()
    return 0


def told(gains: NDArray[np.float64]) -> str:
    """Mean and half-width of the 95 % interval of gains `[opponent, episode]`: all pairs play episodes of the same
    seeds, so an episode's mean over opponents is one draw."""
    means = gains.mean(axis=0)
    half = 1.96 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.inf
    return f"{means.mean():+.2f} ± {half:.2f}"


def side_returns(
    config: Config,
    environment: Environment,
    pattern: str,
    versions: tuple[PolicyVersion, PolicyVersion],
    episodes: int,
    seed: int,
) -> NDArray[np.float64]:
    """The mixed return `[episode]` of an agent of the side that plays by the first of two versions against the second.

    Args:
        config: the run's.
        environment: to play in.
        pattern: of the names of the side's agents.
        versions: that of the side, and that of everybody else.
        episodes: how many are played, rounded up to whole tasks.
        seed: of these episodes.
    """
    spec = environment.spec
    side = [number for number, agent in enumerate(spec.agents) if fnmatchcase(agent.name, pattern)]
    policies: list[PolicySpec] = []
    tensors: Tensors = {}
    for policy in divide(spec, config.sharing, config.network):
        for version, ours in zip(versions, (True, False), strict=True):
            agents = tuple(agent for agent in policy.agents if (agent in side) is ours)
            if agents:
                name = f"{policy.name} {'here' if ours else 'there'}"
                policies.append(replace(policy, name=name, agents=agents))
                own = {key: value for key, value in version.tensors().items() if key.startswith(f"{policy.name}/")}
                tensors |= {f"{name}/{key.partition('/')[2]}": value for key, value in own.items()}
    player, both = Player(environment, tuple(policies), seed), make(0, tensors)
    weights = [value_at(part, versions[0].version) for part in (config.reward.individual, config.reward.team)]
    returns: list[NDArray[np.float64]] = []
    for index in range(-(-episodes // config.episodes)):
        played = player.play(both, Task(0, Purpose.EVALUATION, index), config.episodes)
        individual, team = split_rewards(played, config, spec.team_reward)
        mixed = weights[0] * individual.sum(axis=0)[:, side] + weights[1] * team.sum(axis=0)[:, None]
        returns.append(mixed.mean(axis=1))
    return np.concatenate(returns)
