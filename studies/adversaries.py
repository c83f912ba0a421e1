"""The other side of `sharing`: a chaser and two runners, by one policy or by two.

Who is caught how often depends on both sides, so each is judged against a side that is the same for all: against
untrained policies (by which learning rates are chosen), and then against each other.
"""

from __future__ import annotations

import numpy as np

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.interface import Environment
from chorus.common.environments.spread import CONTACT_DISTANCE
from chorus.common.errors import TrainingFault
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion, Tensors
from chorus.common.policy.weights import make as make_version
from chorus.common.settings import config as configuration
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.update.training import first_version
from chorus.studies.comparisons import Comparisons, Judgement
from chorus.studies.crew import Job
from chorus.studies.interval import interval
from chorus.studies.run import Json, train
from chorus.studies.study import BASE, QUICK, TO_THE_END, TRIAL_SEEDS, Work, merge

SIDES = {"chasers": "chaser_*", "runners": "runner_*"}
SHARING: dict[str, Json] = {"groups": {"mode": "groups", "groups": SIDES}, "all": {"mode": "all"}}
SETTINGS: Json = merge(
    BASE,
    {
        "environment": {"spec": "chorus.studies.worlds:tag"},
        "reward": {"individual": 1.0, "team": 0.0},
        "updates": TO_THE_END.updates,
    },
)
EPISODES = 256


def measure(work: Work, quick: bool) -> Json:
    """Trials by rate, then matches by the chosen ones."""
    settings, episodes = (merge(SETTINGS, QUICK, {"updates": 2}), 8) if quick else (SETTINGS, EPISODES)
    trials, seeds = (TO_THE_END.trials, 2 if quick else TO_THE_END.seeds)
    grid = [(sharing, rate) for sharing in SHARING for rate in TO_THE_END.rates]
    jobs = [
        Job(
            "chorus.studies.adversaries:trial",
            {"settings": _settings(settings, sharing, rate, TRIAL_SEEDS + seed), "episodes": episodes},
        )
        for sharing, rate in grid
        for seed in range(trials)
    ]
    scores = np.array(work(jobs), float).reshape(len(SHARING), len(TO_THE_END.rates), trials).mean(axis=2)
    rates = {sharing: TO_THE_END.rates[int(np.nanargmax(row))] for sharing, row in zip(SHARING, scores, strict=True)}
    matches = work(
        [
            Job(
                "chorus.studies.adversaries:match",
                {
                    "settings": {name: _settings(settings, name, rates[name], seed) for name in SHARING},
                    "episodes": episodes,
                },
            )
            for seed in range(seeds)
        ]
    )
    return {"rates": rates, "matches": matches}


def _settings(settings: Json, sharing: str, rate: float, seed: int) -> Json:
    fall = {"kind": "linear", "start": rate, "end": rate / 10.0, "over": settings["updates"]}
    return merge(settings, {"sharing": SHARING[sharing], "optimiser": {"learning_rate": fall}, "seed": seed})


def trial(settings: Json, episodes: int) -> float | None:
    """Train, and score: catches by its chaser of untrained runners, less its runners' by an untrained chaser."""
    try:
        tensors = _trained(settings)
    except TrainingFault:
        return None
    fresh = _fresh(settings)
    played = _Match(settings["seed"], episodes)
    return played.catches(tensors, fresh) - played.catches(fresh, tensors)


def match(settings: dict[str, Json], episodes: int) -> Json:
    """Train by every way of sharing, and have every chaser play every pair of runners, untrained ones among them.

    Returns:
        catches an episode, by chaser and runners.
    """
    sides = {name: _trained(own) for name, own in settings.items()} | {"untrained": _fresh(settings["groups"])}
    played = _Match(settings["groups"]["seed"], episodes)
    return {chaser: {runners: played.catches(sides[chaser], sides[runners]) for runners in sides} for chaser in sides}


def _trained(settings: Json) -> Tensors:
    return _by_side(train(configuration.check(settings)).current)


def _fresh(settings: Json) -> Tensors:
    config = configuration.check(merge(settings, {"sharing": SHARING["groups"]}))
    environment = make(config.environment.spec)
    return _by_side(first_version(config, divide(environment.spec, config.sharing, config.network)))


def _by_side(version: PolicyVersion) -> Tensors:
    """The tensors of both sides, whether they share them or not."""
    tensors = version.tensors()
    return {
        f"{side}/{name.partition('/')[2]}": value
        for side in SIDES
        for name, value in tensors.items()
        if name.partition("/")[0] in (side, "all")
    }


class _Match:
    """Plays the chaser of one training against the runners of another."""

    def __init__(self, seed: int, episodes: int) -> None:
        self._environment: Environment = make(SETTINGS["environment"]["spec"])
        config = configuration.check(merge(SETTINGS, {"sharing": SHARING["groups"]}))
        self._policies: tuple[PolicySpec, ...] = divide(self._environment.spec, config.sharing, config.network)
        self._seed = seed
        self._episodes = episodes

    def catches(self, chaser: Tensors, runners: Tensors) -> float:
        """Steps in which a runner is touched, counted for each runner, an episode."""
        tensors = {name: value for name, value in chaser.items() if name.startswith("chasers/")}
        tensors |= {name: value for name, value in runners.items() if name.startswith("runners/")}
        player = Player(self._environment, self._policies, self._seed)
        played = player.play(make_version(0, tensors), Task(0, Purpose.EVALUATION, 0), self._episodes)
        away = played.observations[1:, :, 0, 4:8].reshape(-1, 2)
        return float((np.square(away).sum(axis=1) < CONTACT_DISTANCE**2).sum()) / self._episodes


def over_seeds(results: Json, chaser: str, runners: str) -> list[float]:
    """Catches an episode, by seed."""
    return [played[chaser][runners] for played in results["matches"]]


def table(results: Json) -> str:
    """Chasers by rows, runners by columns."""
    sides = list(results["matches"][0])
    lines = [
        f"Catches an episode in `tag`, by who chases (rows) and who runs (columns), {len(results['matches'])} seeds:",
        "",
        "| chaser | " + " | ".join(f"runners of `{side}`" for side in sides) + " |",
        "|" + "---|" * (len(sides) + 1),
    ]
    for chaser in sides:
        cells = [interval(over_seeds(results, chaser, runners)).text() for runners in sides]
        lines.append(f"| `{chaser}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """What sharing costs each side."""
    chasing = _judged(results, ("groups", "untrained"), ("all", "untrained"), comparisons)
    running = _judged(results, ("untrained", "all"), ("untrained", "groups"), comparisons)
    return [
        "*Adversaries*: against untrained runners the chaser with a policy of its own makes "
        f"{_catches(results, 'groups', 'untrained')} catches an episode, the one that shares with its prey "
        f"{_catches(results, 'all', 'untrained')} (untrained: {_catches(results, 'untrained', 'untrained')}): "
        f"{_told(chasing, 'more with `groups`', 'fewer with `groups`')}.",
        "*Adversaries*: an untrained chaser catches runners with a policy of their own "
        f"{_catches(results, 'untrained', 'groups')} times, those that share with it "
        f"{_catches(results, 'untrained', 'all')} times: "
        f"{_told(running, 'fewer with `groups`', 'more with `groups`')}.",
    ]


def _catches(results: Json, chaser: str, runners: str) -> str:
    return interval(over_seeds(results, chaser, runners)).text()


def _judged(results: Json, ours: tuple[str, str], theirs: tuple[str, str], comparisons: Comparisons) -> Judgement:
    return comparisons.judge(over_seeds(results, *ours), over_seeds(results, *theirs))


def _told(judged: Judgement, more: str, fewer: str) -> str:
    if judged.sign:
        return f"{judged.size} {more if judged.sign > 0 else fewer}"
    return judged.none
