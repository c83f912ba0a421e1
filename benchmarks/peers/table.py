"""What turns have found, as tables; and the tables in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from chorus.benchmarks.peers.contest import GOAL, Entry, Pair
from chorus.benchmarks.peers.scripts.work import WINDOW
from chorus.benchmarks.report import Column, Row, Table

BEGIN, END = "<!-- peers: begin -->", "<!-- peers: end -->"
Found = Mapping[Entry, Sequence[dict[str, Any]]]
"""The answer of every turn, round by round."""

RATE_COLUMNS = (
    Column("peer", "peer"),
    Column("plays", "plays"),
    Column("batch", "batch"),
    Column("epochs", "passes", "d"),
    Column("peer_rate", "agent-steps/s", ",.0f"),
    Column("chorus", "Chorus"),
    Column("chorus_plays", "plays"),
    Column("chorus_rate", "agent-steps/s", ",.0f"),
    Column("ratio", "Chorus / peer", ".2f"),
    Column("core_ratio", "… of the agent-steps per core-second", ".2f"),
    Column("peer_cores", "cores, peer", ".2f"),
    Column("chorus_cores", "cores, Chorus", ".2f"),
    Column("turns", "turns", "d"),
)
RACE_COLUMNS = (
    Column("runner", "trainer"),
    Column("reached", "reached"),
    Column("with_start", "s", ".1f"),
    Column("without_start", "s from the first update on", ".1f"),
    Column("spread", "of each seed, from the first update on"),
    Column("agent_steps", "agent-steps", ",.0f"),
)


def rates(contest: Sequence[Pair], found: Found) -> Table:
    """Agent-steps a second of peers, and of Chorus beside them, where both sides were measured."""
    rows: list[Row] = []
    for pair in contest:
        both = neighbours(found.get(pair.peer, ()), found.get(pair.chorus, ()))
        if not both:
            continue
        rate, core = "agent_steps_per_second", "agent_steps_per_core_second"
        rows.append(
            {
                "peer": pair.peer.runner.name,
                "plays": pair.peer.runner.environment,
                "batch": f"{pair.peer.work.episodes} × 25",
                "epochs": pair.peer.work.epochs,
                "peer_rate": median(peer[rate] for peer, _ in both),
                "chorus": pair.chorus.runner.name,
                "chorus_plays": pair.chorus.runner.environment,
                "chorus_rate": median(chorus[rate] for _, chorus in both),
                "ratio": median(chorus[rate] / peer[rate] for peer, chorus in both),
                "core_ratio": median(chorus[core] / peer[core] for peer, chorus in both),
                "peer_cores": median(peer["cores"] for peer, _ in both),
                "chorus_cores": median(chorus["cores"] for _, chorus in both),
                "turns": len(both),
            }
        )
    title = (
        "Agent-steps/s trained in the steady state, in turns; medians, ratios of neighbouring turns. Chorus: `chorus"
        " train` with gRPC and two actors, lag 0; an update is 4 tasks by the defaults, 2 in plain REINFORCE"
    )
    return Table("rates", title, RATE_COLUMNS, rows)


def neighbours(
    peers: Sequence[dict[str, Any]], own: Sequence[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each of a peer's answers beside that of Chorus which was measured nearest to it in time (`at`)."""
    return [(peer, min(own, key=lambda one: abs(one["at"] - peer["at"]))) for peer in peers if own]


def times(contest: Sequence[Pair], found: Found) -> Table:
    """Seconds to the goal, by trainer."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for pair in contest:
        for entry in (pair.peer, pair.chorus):
            name = entry.runner.name if entry.runner.peer else f"Chorus, {entry.runner.name}"
            by_name.setdefault(name, []).extend(found.get(entry, ()))
    rows = [_race(name, answers) for name, answers in by_name.items() if answers]
    title = (
        f"Seconds until the mean return of the last {WINDOW} training episodes is {GOAL:g} (summed over agents, 25"
        " steps), in turns, a turn for each seed; medians"
    )
    return Table("times", title, RACE_COLUMNS, rows)


def _race(name: str, answers: Sequence[dict[str, Any]]) -> Row:
    there = [answer for answer in answers if answer["seconds_with_start"] is not None]
    row: Row = {"runner": name, "reached": f"{len(there)} of {len(answers)}"}
    if there:
        each = [answer["seconds_without_start"] for answer in there]
        row |= {
            "with_start": median(answer["seconds_with_start"] for answer in there),
            "without_start": median(each),
            "spread": " ".join(f"{seconds:.1f}" for seconds in each),
            "agent_steps": median(answer["agent_steps"] for answer in there),
        }
    return row


def text(tables: Sequence[Table], failures: Mapping[str, str], heading: str) -> str:
    """All of it, for a page."""
    parts = [heading, *(table.markdown() for table in tables if table.rows)]
    if failures:
        parts.append("\n".join(["Not measured:", "", *(f"- **{name}** {why}" for name, why in failures.items())]))
    return "\n\n".join(parts)


def put(page: Path, content: str) -> None:
    """Replace what stands between the two marks of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    head, begin, rest = page.read_text().partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END} between which the tables go")
    page.write_text(f"{head}{BEGIN}\n\n{content}\n\n{END}{tail}")
