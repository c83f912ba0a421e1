"""Who plays by which version: a function of the configuration and the task's name alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.opponents import FROZEN, Opponents, archived, needed, newest_of
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.settings.sections import NetworkConfig
from chorus.common.tasks.task import Purpose, Task, version_for

NAMES = ("adversary_0", "adversary_1", "agent_0")
TEAM = EnvironmentSpec("tag", "tag 1", tuple(AgentSpec(name, (4,), (5,)) for name in NAMES))
BOTH = {"adversary_*": "past", "agent_*": "past"}


def config(opponents: dict[str, str], lag: int = 0, **self_play: Any) -> Config:
    return configuration.check({"opponents": opponents, "self_play": self_play, "lag": lag, "seed": 7})


def opponents(settings: Config) -> Opponents:
    return Opponents(settings, TEAM, divide(TEAM, settings.sharing, settings.network))


def training(update: int, index: int) -> Task:
    return Task(update, Purpose.TRAINING, index)


@settings(max_examples=100, deadline=None)
@given(update=st.integers(0, 200), index=st.integers(0, 20), lag=st.integers(0, 3), every=st.integers(1, 12))
def test_everybody_sits_in_one_seat_and_only_those_by_the_newest_weights_learn(
    update: int, index: int, lag: int, every: int
) -> None:
    given = config(BOTH, lag, every=every, keep=5, share=0.8)
    lines, task = opponents(given), training(update, index)
    own, seats = version_for(update, lag), lines.seats(task)
    assert sorted(agent for seat in seats for agent in seat.spec.agents) == [0, 1, 2]
    by_past = {agent for seat in seats if seat.version != own for agent in seat.spec.agents}
    assert by_past in (set(), {0, 1}, {2})
    assert {seat.version for seat in seats} <= {own, *lines.past(task)}
    assert set(lines.past(task)) <= set(archived(given, own))
    learners = lines.learners(task)
    assert learners is None if not by_past else set(learners or ()) == {0, 1, 2} - by_past
    assert opponents(given).seats(task) == seats, "the same task, the same line-up"
    audit = Task(update, Purpose.AUDIT, index)
    assert lines.seats(audit) == seats, "a second run of a task is that task"


def test_both_sides_and_all_versions_have_their_turn_in_the_share_of_tasks_that_was_asked_for() -> None:
    given = config(BOTH, every=10, keep=3, share=0.25)
    lines = opponents(given)
    tasks = [training(95, index) for index in range(4000)]
    drawn = [(tuple(lines.learners(task) or ()), lines.past(task)) for task in tasks if lines.past(task)]
    assert len(drawn) / len(tasks) == pytest.approx(0.25, abs=0.03)
    assert set(drawn) == {(side, (version,)) for side in ((2,), (0, 1)) for version in (70, 80, 90)}


def test_there_is_no_past_at_the_beginning_and_none_in_evaluations() -> None:
    lines = opponents(config(BOTH, every=10, share=1.0))
    assert lines.past(training(0, 0)) == ()
    assert lines.past(training(1, 0)) == (0,)
    assert lines.past(Task(50, Purpose.EVALUATION, 0)) == ()
    assert opponents(config({})).past(training(50, 0)) == ()


@settings(max_examples=100, deadline=None)
@given(lag=st.integers(0, 4), every=st.integers(1, 7), keep=st.integers(1, 4), updates=st.integers(1, 60))
def test_whoever_keeps_what_is_needed_has_every_version_that_an_open_task_asks_for(
    lag: int, every: int, keep: int, updates: int
) -> None:
    """And not many more: what is kept is bounded."""
    given = config(BOTH, lag, every=every, keep=keep, share=1.0)
    held = {0}
    for newest in range(updates):
        held = {version for version in held | {newest} if needed(given, newest, version)}
        for update in range(newest, newest + lag + 1):
            own = version_for(update, lag)
            assert {own, *archived(given, own)} <= held
        assert len(held) <= lag + 1 + keep + -(-lag // every)


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"opponents": {"wolf_*": "past"}}, r"'wolf_\*' matches nobody; the agents are adversary_0"),
        ({"opponents": {"*": "past"}}, "matches everybody, and nobody is left to learn"),
        ({"opponents": {"agent_*": "past"}, "sharing": {"mode": "all_with_id"}}, "divides policy 'all'"),
    ],
)
def test_an_impossible_line_up_is_refused_by_name(sections: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        opponents(configuration.check(sections))


@pytest.mark.parametrize("kind", ["future", "frozen:", "scripted:greedy", "scripted:a b:c", "Past", ""])
def test_what_is_no_kind_of_opponent_is_refused_with_those_there_are(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"opponents: 'agent_\*' is .*; write past, frozen:RUN .*, or scripted:"):
        configuration.check({"opponents": {"agent_*": kind}})


FIXED = {"agent_*": "scripted:players:greedy", "adversary_*": "frozen:runs/b", "adversary_0": "frozen:runs/a"}


def fixed(sharing: str = "all", share: float = 1.0) -> Opponents:
    given = {"opponents": FIXED, "self_play": {"share": share}, "seed": 7}
    known = {"sha256": "0", "network": {"encoder": 3}, "sharing": {"mode": sharing}}
    return opponents(configuration.check(given | {"frozen": {"runs/a": known, "runs/b": known}}))


def test_frozen_and_scripted_sides_have_their_turn_from_the_first_task_on() -> None:
    lines = fixed()
    tasks = [training(update, index) for update in range(3) for index in range(200)]
    found = {(tuple(lines.learners(task) or ()), lines.past(task)) for task in tasks}
    assert found == {((0, 1), ()), ((2,), (FROZEN + 1,)), ((1, 2), (FROZEN,))}
    assert all(lines.seats(task) == fixed().seats(task) for task in tasks), "the same task, the same line-up"
    for seat in (seat for task in tasks for seat in lines.seats(task)):
        assert seat.script in ("", "players:greedy" if seat.spec.agents == (2,) else "")
        assert seat.spec.network.encoder == (3 if seat.version >= FROZEN else NetworkConfig().encoder)
    assert lines.seats(Task(0, Purpose.EVALUATION, 0)) == opponents(config({})).seats(training(0, 0))


def test_frozen_versions_are_needed_as_long_as_the_run_lasts_and_are_never_the_newest() -> None:
    given = config({"agent_*": "past"}, every=1, keep=1)
    assert needed(given, 10_000, FROZEN)
    assert newest_of([3, FROZEN, 7, FROZEN + 1]) == 7
    assert newest_of([FROZEN]) == 0


def test_a_frozen_policy_that_tells_its_agents_apart_is_not_divided() -> None:
    with pytest.raises(ConfigError, match="divides policy 'all', which tells its agents apart by ids"):
        fixed("all_with_id")


def test_a_frozen_opponent_that_nothing_is_known_of_is_refused() -> None:
    with pytest.raises(ConfigError, match="frozen:runs/a is not resolved"):
        opponents(configuration.check({"opponents": {"agent_*": "frozen:runs/a"}}))
