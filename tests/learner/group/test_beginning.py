"""A group begins with the same settings everywhere, and with what process 0 knows."""

import pytest

from chorus.common.errors import ConfigError
from chorus.common.settings import config as configuration
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.group.beginning import Beginning, hear, see_same_settings, tell
from chorus.learner.group.processes import find_group
from chorus.learner.group.shares import Share, join_shares
from tests.groups import Member, together


def test_a_process_that_was_started_with_other_settings_is_refused_by_name() -> None:
    def begin(member: Member) -> None:
        see_same_settings(member, configuration.check({"seed": 5 + (member.rank == 1)}))

    with pytest.raises(ConfigError, match=r"process 1 was started with other settings .*seed: 5, 6"):
        together(3, begin)


def test_equal_settings_pass() -> None:
    together(2, lambda member: see_same_settings(member, configuration.check({"seed": 5})))


def test_all_hear_what_process_0_tells() -> None:
    beginning = Beginning(run="1a2b", config=b"{}", fingerprint={"chorus": "1"}, checkpoint=bytes(range(256)))

    def begin(member: Member) -> Beginning:
        if member.rank:
            return hear(member)
        tell(member, beginning)
        return beginning

    assert together(3, begin) == [beginning] * 3


def test_another_number_of_processes_than_the_settings_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ConfigError, match=r"learner\.processes is 4, but 1 were started"):
        find_group(configuration.check({"learner": {"processes": 4}}))


def test_what_each_process_knows_of_an_updates_tasks_is_joined() -> None:
    first, second = Task(2, Purpose.TRAINING, 0), Task(2, Purpose.TRAINING, 1)
    evaluated = Task(2, Purpose.EVALUATION, 1)
    told = [
        Share.of({first: ("a", "d0")}, {}).encode(),
        Share.of({second: ("b", "d1"), evaluated: ("b", "d2")}, {evaluated: (1, 25, 75, -0.1, 1e300)}).encode(),
    ]
    players, figures = join_shares(told)
    assert players == {first: ("a", "d0"), second: ("b", "d1"), evaluated: ("b", "d2")}
    assert figures == {evaluated: [1, 25, 75, -0.1, 1e300]}
