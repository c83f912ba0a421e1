"""What an actor plays with: the environment, made and proven, and all else that follows from the configuration."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.environments.checks.purity import prove
from chorus.common.environments.interface import Environment
from chorus.common.environments.scripts import load
from chorus.common.environments.user_errors import made_badly
from chorus.common.isolation.isolated import Isolated
from chorus.common.policy.opponents import Opponents, scripts
from chorus.common.policy.sharing import divide
from chorus.common.process.child_processes import end_descendants
from chorus.common.process.fingerprint import fingerprint
from chorus.common.settings.config import Config
from chorus.common.tasks.task import Purpose

log = logging.getLogger("chorus.actor")

PATIENCE_SHARE = 0.8
"""The share of a task's patience that an environment in a process of its own has: it ends before its actor does."""


@dataclass(frozen=True)
class Prepared:
    """Its holder closes it."""

    config: Config
    environment: Environment
    players: dict[Purpose, Player]
    fingerprint: dict[str, str]
    remark: str
    pure: bool

    @staticmethod
    def of(config: Config) -> Prepared:
        """Make and prove the environment of a run.

        Raises:
            EnvironmentFault: it cannot be made, or breaks the rules.
            ConfigError: an opponent's program cannot be found.
        """
        try:
            environment, finding = prove(
                partial(_make, config),
                level=config.environment.proof,
                task_episodes=config.episodes,
                instances=config.instances,
            )
        except Exception as error:  # of the environment's own code: no fault of Chorus
            raise made_badly(error, config.environment.spec) from error
        if finding.message:
            log.warning("purity", extra={"finding": finding.message})
        policies = divide(environment.spec, config.sharing, config.network)
        opponents, instances = Opponents(config, environment.spec, policies), config.instances
        for script in scripts(config):
            load(script)
        players = {
            Purpose.TRAINING: Player(environment, policies, config.seed, False, instances, opponents),
            Purpose.EVALUATION: Player(
                environment, policies, config.seed, config.evaluate.greedy, instances, opponents
            ),
        }
        print_of = fingerprint(config, environment.spec, policies)
        return Prepared(config, environment, players, print_of, finding.message, finding.reproducible)

    def close(self) -> None:
        """Close the environment, and end the processes that it leaves behind."""
        try:
            self.environment.close()
        except BaseException as fault:  # vendor code may raise anything, and the actor ends well all the same
            log.warning("the environment could not be closed", extra={"fault": repr(fault)}, exc_info=fault)
        left = end_descendants(os.getpid())
        if left:
            log.warning("processes that the environment left behind were ended", extra={"processes": left})


def _make(config: Config) -> Environment:
    """A fresh environment, in this process or in one of its own."""
    if config.environment.isolation == "process":
        return Isolated(config.environment.spec, PATIENCE_SHARE * config.learner.task_timeout)
    return make(config.environment.spec)
