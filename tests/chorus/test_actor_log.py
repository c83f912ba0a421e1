"""Why an actor ended, found in the log that all share."""

import json
from pathlib import Path
from typing import Any

from chorus.local.actor_log import ActorLog


def write(path: Path, *events: dict[str, Any]) -> None:
    with path.open("a") as file:
        for event in events:
            file.write(json.dumps({"level": "warning", "logger": "chorus.actor"} | event) + "\n")


def test_the_last_complaint_of_that_actor_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = ActorLog(path, None)
    assert log.last_words("actor-0") == ""
    write(path, {"actor": "actor-0", "event": "stream lost", "details": "connection refused"})
    write(path, {"actor": "actor-1", "event": "ended by a fault", "fault": "no licence", "level": "critical"})
    write(path, {"actor": "actor-0", "event": "ready", "level": "info"})
    write(path, {"actor": "actor-0", "event": "actor ended", "code": 1, "logger": "chorus.launcher"})
    assert log.last_words("actor-0") == "stream lost: connection refused"
    assert log.last_words("actor-1") == "no licence"
    assert log.last_words("actor-0", log.mark()) == ""


def test_what_is_no_event_is_passed_over_and_what_was_printed_is_told_where_nothing_was_said(tmp_path: Path) -> None:
    path, prints = tmp_path / "log.jsonl", tmp_path / "prints.log"
    path.write_text('a bare line\n[1, 2]\n{"torn')
    prints.write_text("old\n")
    log = ActorLog(path, prints)
    mark = log.mark()
    with prints.open("a") as file:
        file.write("tick\n" * 100 + "Segmentation fault\n")
    assert log.last_words("actor-0", mark).splitlines()[1:] == ["tick", "Segmentation fault"]


def test_what_an_actor_is_at_is_found_while_it_waits(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = ActorLog(path, None)
    write(path, {"actor": "actor-0", "event": "environment", "what": "making instance 3 of 48", "level": "info"})
    assert log.last_words("actor-0", progress=True) == "environment: making instance 3 of 48"
    assert log.last_words("actor-0") == ""


def test_what_is_left_behind_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = ActorLog(path, None)
    for actor in ("actor-0", "actor-1"):
        write(path, {"actor": actor, "logger": "chorus", "event": "left behind", "what": "the thread 'heartbeat' runs"})
    assert log.left_behind((0, 0)) == ["the thread 'heartbeat' runs"]
