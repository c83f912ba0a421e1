"""What comes after the run has ended here is let go of in silence: the end of the stream is on its way to the actor."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.monitoring.metrics import LearnerMetrics
from chorus.common.policy.sharing import divide
from chorus.common.policy.weights import PolicyVersion
from chorus.common.settings.config import check, resolve
from chorus.common.tasks.parts import RunningDigest
from chorus.common.tasks.task import Task
from chorus.learner.coordinator import Coordinator, room_of
from chorus.learner.storage.checkpoint import Counters
from chorus.learner.storage.elsewhere import Elsewhere
from chorus.learner.tasks.arrival import Arrival
from chorus.learner.update.training import Training, first_version


@dataclass
class Actor:
    """Takes one task."""

    name: str = "slow"
    wanted: int = 1
    movable: bool = False
    given: list[tuple[Task, PolicyVersion]] = field(default_factory=list)

    def send_on(self) -> None:
        raise AssertionError("there is no other process")

    def bar(self, why: str) -> None:
        raise AssertionError(why)

    def send_task(self, task: Task, policy: PolicyVersion, past: Sequence[PolicyVersion] = ()) -> None:
        assert not past
        self.wanted -= 1
        self.given.append((task, policy))


def test_a_trajectory_that_comes_after_the_end_is_no_fault(tmp_path: Path) -> None:
    environment = make("spread?agents=3&steps=5")
    config = resolve(check({"task": {"episodes": 2}, "update": {"tasks": 2}, "updates": 3}), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)

    async def play() -> None:
        training = Training(config, environment.spec, policies, {0: first_version(config, policies)})
        metrics, actor = LearnerMetrics(CollectorRegistry()), Actor()
        coordinator = Coordinator(config, environment.spec, training, Elsewhere(tmp_path), Counters(), metrics)
        coordinator.reception.join(actor)
        coordinator.reception.ask(actor.name)
        coordinator.stop()
        assert not await coordinator.run()
        ((task, policy),) = actor.given
        arrival = Arrival(task, environment.spec, config, room_of(config))
        digest = RunningDigest()
        for part in Player(environment, policies, config.seed).parts(policy, task, config.episodes):
            assert await coordinator.reception.receive(actor.name, arrival, part, digest.after(part)) is None
        assert coordinator.ledger.counts.completed == 0

    asyncio.run(play())
