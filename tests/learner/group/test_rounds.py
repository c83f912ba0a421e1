"""What follows, for every process alike, from how all of them stand."""

import pytest

from chorus.learner.group.rounds import Standing, State, exchange, fault_of, outcome, to_send
from tests.groups import together

READY, WAITING, STOPPING, FAULT = State.READY, State.WAITING, State.STOPPING, State.FAULT


@pytest.mark.parametrize(
    ("states", "all_do"),
    [
        ([READY, READY], READY),
        ([READY, WAITING, READY], WAITING),
        ([WAITING, STOPPING], STOPPING),
        ([READY, STOPPING, FAULT], FAULT),
    ],
)
def test_all_go_on_when_all_are_ready_and_end_when_one_must(states: list[State], all_do: State) -> None:
    told = together(len(states), lambda member: exchange(member, Standing(state=states[member.rank])))
    assert {outcome(standings) for standings in told} == {all_do}


def test_the_words_of_a_process_at_fault_are_everybodys() -> None:
    standings = [Standing(state=WAITING), Standing(state=FAULT, fault="task (3, 1) failed on three tries")]
    assert fault_of(standings) == "process 1 of 2: task (3, 1) failed on three tries"


def stands(pending: int, actors: int) -> Standing:
    return Standing(state=WAITING, pending=pending, actors=actors)


@pytest.mark.parametrize(
    ("here", "there", "idle", "sent"),
    [
        ((0, 1), (3, 0), 1, 1),  # the only actor there is
        ((0, 4), (4, 0), 4, 2),  # half of what is missing, so that they do not all change places again and again
        ((0, 4), (3, 4), 4, 0),  # the others will manage
        ((2, 4), (9, 1), 1, 0),  # there is work here
        ((0, 0), (9, 1), 0, 0),
    ],
)
def test_idle_actors_are_sent_where_more_tasks_wait_than_there_are_actors(
    here: tuple[int, int], there: tuple[int, int], idle: int, sent: int
) -> None:
    assert to_send([stands(*here), stands(*there)], 0, idle) == sent
