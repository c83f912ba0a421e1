"""`chorus evaluate DIR`: fresh episodes by a run's policy, and what they brought."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import Config
from chorus.common.settings.schedule import value_at
from chorus.evaluation.film import check_video, film
from chorus.evaluation.line_up import LineUp, Rival, line_up
from chorus.evaluation.match import Match, Played, play_task, play_tasks, rival_of
from chorus.evaluation.trajectories import check_format
from chorus.evaluation.trajectories import write as write_trajectories
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import environment_spec, newest_policy

Values = NDArray[np.float64]


WAYS = {False: "sampled", True: "greedy"}
"""How actions are chosen: drawn from the policy, as in training, or the likeliest."""


def evaluate(options: argparse.Namespace) -> int:
    """Play, print a summary, film an episode if asked to.

    Raises:
        ConfigError: both ways of choosing actions are asked for, and a file that holds what was played in one.
        ChorusError: the folder holds no run, or what is to be played is impossible.
    """
    if options.both and any((options.trajectories, options.gif, options.mp4)):
        raise ConfigError(
            "--both is of figures: a film or trajectories are of one way to choose actions; leave --both out, or give"
            " --greedy in its place"
        )
    config = read_config(options.dir)
    policy = newest_policy(options.dir)
    match = Match(
        str(options.dir),
        options.seed,
        options.greedy,
        options.untrained,
        None if options.rival is None else str(options.rival),
        options.agents,
    )
    if options.trajectories is not None:
        check_format(options.trajectories)
    if options.mp4 is not None:
        check_video()
    rival = rival_of(match)
    ways = (False, True) if options.both else (options.greedy,)
    summaries = {
        WAYS[greedy]: _measure(replace(match, greedy=greedy), config, policy, rival, options) for greedy in ways
    }
    if options.json:
        about = {
            "episodes": options.episodes,
            "seed": options.seed,
            "greedy": options.greedy,
            "untrained": options.untrained,
            "policy_version": policy.version,
        }
        if rival is not None:
            about |= {"with": str(options.rival), "agents": options.agents}
        if options.both:
            del about["greedy"]
        print(json.dumps(about | (summaries if options.both else summaries[WAYS[options.greedy]]), indent=2))
    else:
        print(f"{options.episodes} episodes by policy version {policy.version}, {' and '.join(summaries)}")
        if options.untrained is not None:
            print(f"agents {options.untrained} by the weights that the run began with")
        if rival is not None:
            print(f"agents {options.agents} by policy version {rival.policy.version} of {options.rival}")
        for way, summary in summaries.items():
            if options.both:
                print(f"{way}:")
            print(_lines(summary))
    for path in (options.gif, options.mp4):
        if path is not None and not film(
            config, policy, path, options.seed, options.greedy, untrained=options.untrained, rival=rival
        ):
            raise RunFolderError(f"{config.environment.spec} has no pictures, so there is nothing to write to {path}")
    return 0


Summary = dict[str, dict[str, float]]


def _measure(
    match: Match, config: Config, policy: PolicyVersion, rival: Rival | None, options: argparse.Namespace
) -> Summary:
    """Play the episodes over all cores; write down what was played if that is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        keep = None if options.trajectories is None else Path(folder)
        measured = play(
            config,
            policy,
            options.episodes,
            options.seed,
            match.greedy,
            options.untrained,
            rival,
            lambda count: play_tasks(match, count, options.jobs, keep),
        )
        if options.trajectories is not None:
            names = [agent.name for agent in environment_spec(options.dir).agents]
            write_trajectories(Path(folder), options.trajectories, names, options.episodes)
    return {name: summarise(values) for name, values in measured.items()}


def _lines(summary: Summary) -> str:
    width = max(len(name) for name in summary)
    return "\n".join(
        f"  {name:{width}} {figures['mean']:10.3f} +- {figures['confidence_95']:.3f}"
        f"   95 % of episodes: {figures['low']:.3f} … {figures['high']:.3f}"
        for name, figures in summary.items()
    )


def play(
    config: Config,
    policy: PolicyVersion,
    episodes: int,
    seed: int,
    greedy: bool,
    untrained: str | None = None,
    rival: Rival | None = None,
    played: Callable[[int], list[Played]] | None = None,
) -> dict[str, Values]:
    """Returns and lengths of `episodes` fresh episodes, each float64 `[episode]`; returns are summed over agents.

    `mixed_return of NAME` is that of the agent NAME, under one shared policy too: it shows who carries the team; and
    where agents do not all play by one policy, or some play untrained, that of those who play by policy NAME.

    Args:
        config: the run's.
        policy: the version to play by.
        episodes: how many.
        seed: of these episodes.
        greedy: take the likeliest action instead of a sample.
        untrained: glob pattern of the agents that play by the weights the run began with; None for nobody.
        rival: another run whose policy plays for some of the agents; None for none.
        played: plays so many tasks elsewhere; None plays them here.
    """
    environment = make(config.environment.spec)
    spec = environment.spec
    sides: LineUp = line_up(config, spec, policy, untrained, rival)
    player = Player(environment, sides.policies, seed, greedy, config.instances)
    count = -(-episodes // config.episodes)
    try:
        tasks = played(count) if played else [play_task(config, player, sides, index) for index in range(count)]
    finally:
        environment.close()
    of_agent = np.concatenate([task.individual for task in tasks])[:episodes]
    of_team = np.concatenate([task.team for task in tasks])[:episodes]
    weights = value_at(config.reward.individual, policy.version), value_at(config.reward.team, policy.version)
    mixed = weights[0] * of_agent + weights[1] * of_team[:, None]
    measured = {
        "mixed_return": mixed.sum(axis=1),
        "individual_return": of_agent.sum(axis=1),
        "team_return": of_team * len(spec.agents),
        "episode_length": np.concatenate([task.lengths for task in tasks])[:episodes],
    }
    if len(sides.policies) > 1 or untrained is not None or rival is not None:
        measured |= {f"mixed_return of {side.name}": mixed[:, side.agents].sum(axis=1) for side in sides.policies}
    if len(spec.agents) > 1:
        measured |= {f"mixed_return of {agent.name}": mixed[:, n] for n, agent in enumerate(spec.agents)}
    return measured


def summarise(values: Values) -> dict[str, float]:
    """Mean, standard deviation, the half-width of the mean's 95 % confidence interval (normal approximation), and the
    interval from `low` to `high` that holds 95 % of the values."""
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    low, high = np.quantile(values, [0.025, 0.975])
    return {
        "mean": float(values.mean()),
        "deviation": deviation,
        "confidence_95": 1.96 * deviation / sqrt(len(values)),
        "low": float(low),
        "high": float(high),
    }
