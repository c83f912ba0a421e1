"""Before a run: who learns by which policy, and how much is played for it."""

from __future__ import annotations

from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.local.greeting import plan


def planned(spec: str, **settings: object) -> list[str]:
    environment = make(spec)
    try:
        config = configuration.resolve(
            configuration.check({"environment": {"spec": spec}, **settings}), environment.spec
        )
        return plan(config, environment.spec, divide(environment.spec, config.sharing, config.network))
    finally:
        environment.close()


def test_agents_of_one_kind_share_a_policy_and_the_first_line_says_so() -> None:
    assert planned("spread?agents=3", updates=10)[0] == "policies one, shared by agent_0, agent_1, agent_2"
    assert planned("spread?agents=40", updates=1)[0] == "policies one, shared by 40 agents, agent_0 … agent_39"


def test_unlike_kinds_have_a_policy_each_and_the_first_line_says_so() -> None:
    told = planned("pettingzoo:mpe2.simple_speaker_listener_v4", updates=1)[0]
    assert told == "policies 2: speaker (speaker_0), listener (listener_0)"


def test_the_budget_is_told_in_what_people_count() -> None:
    told = planned("spread?agents=3&steps=25", updates=10, task={"episodes": 8}, update={"tasks": 4})[1]
    assert told == "budget   10 updates, 320 episodes, at most 8,000 environment steps"
