"""What an actor plays with: the environment, made and proven, and all else that follows from the configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from chorus.actor.rollout import Player
from chorus.common.environments.checks.purity import prove
from chorus.common.environments.interface import Environment
from chorus.common.policy.sharing import divide
from chorus.common.process.fingerprint import fingerprint
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose

log = logging.getLogger("chorus.actor")


@dataclass(frozen=True)
class Prepared:
    """The environment is its holder's to close."""

    config: Config
    environment: Environment
    players: dict[Purpose, Player]
    fingerprint: dict[str, str]
    remark: str
    pure: bool

    @staticmethod
    def of(config: Config, make_one: Callable[[], Environment]) -> Prepared:
        """Make and prove the environment of a run; `make_one` makes a fresh one.

        Raises:
            EnvironmentFault: it cannot be made, or breaks the rules.
        """
        environment, finding = prove(
            make_one,
            level=config.environment.proof,
            task_episodes=config.episodes,
            instances=config.instances,
        )
        if finding.message:
            log.warning("purity", extra={"finding": finding.message})
        policies = divide(environment.spec, config.sharing)
        players = {
            Purpose.TRAINING: Player(environment, policies, config.seed, instances=config.instances),
            Purpose.EVALUATION: Player(
                environment, policies, config.seed, greedy=config.evaluate.greedy, instances=config.instances
            ),
        }
        print_of = fingerprint(environment.spec.package)
        return Prepared(config, environment, players, print_of, finding.message, finding.reproducible)
