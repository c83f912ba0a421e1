"""The line that says what bounded a run, from timelines whose answer is known."""

import json
from pathlib import Path
from typing import Any

import pytest

from chorus.common.errors import ChorusError
from chorus.common.monitoring import timeline
from chorus.runs.profile import OTHERS, find, merge

Event = dict[str, Any]
SECOND = 1e6


def process(pid: int, name: str, used: float, idle: float = 0.0) -> list[Event]:
    """A process that uses `used` seconds of processor time in each of ten seconds."""
    named = {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": name}}
    mark = {"ph": "C", "name": "processor", "pid": pid}
    return [
        named,
        mark | {"ts": 0.0, "args": {"seconds": 0.0, "idle": 0.0}},
        mark | {"ts": 10 * SECOND, "args": {"seconds": 10 * used, "idle": 10 * idle}},
    ]


def span(pid: int, name: str, at: float, seconds: float, **about: float) -> Event:
    used = 0.0 if name == "wait" else seconds * SECOND
    return {
        "ph": "X",
        "name": name,
        "pid": pid,
        "tid": "main",
        "ts": at * SECOND,
        "dur": seconds * SECOND,
        "tdur": used,
        "args": about,
    }


def run(gradient: float, playing: float, environment: float, idle: float = 0.0) -> list[Event]:
    """A run of ten updates of a second, with one gradient thread and one actor, each busy for a part of it."""
    events = process(1, "learner", gradient, idle) + process(2, "actor-0", playing)
    for second in range(10):
        events.append(span(1, "gradient", second, gradient))
        events.append(span(1, "step", second + 0.999, 0.001))
        events.append(span(2, "play", second, playing, environment=environment, inference=1.0 - environment))
        events.append(span(2, "wait", second + playing, 1.0 - playing))
    return events


def test_shares_add_up_and_name_where_the_time_went() -> None:
    finding = find(run(gradient=0.9, playing=0.5, environment=0.2, idle=0.6), cores=2, workers=1)
    assert finding.updates == 9
    assert finding.seconds == pytest.approx(9.0)
    assert finding.shares["gradient"] == pytest.approx(0.45, abs=0.01)
    assert finding.shares["environment"] == pytest.approx(0.05, abs=0.01)
    assert finding.shares["inference"] == pytest.approx(0.20, abs=0.01)
    assert finding.shares["idle"] == pytest.approx(0.30)
    assert sum(finding.shares.values()) == pytest.approx(1.0, abs=0.01)
    assert finding.actors_waiting == pytest.approx(0.5, abs=0.01)
    assert finding.learner_waiting == pytest.approx(0.1, abs=0.01)


def test_a_run_is_bounded_by_whoever_keeps_the_other_waiting() -> None:
    assert "the learner (gradient)" in find(run(0.9, 0.3, 0.5, idle=0.8), cores=2, workers=1).bound
    assert "the actors (environment)" in find(run(0.3, 0.9, 0.7, idle=0.8), cores=2, workers=1).bound
    assert "the actors (inference)" in find(run(0.3, 0.9, 0.1, idle=0.8), cores=2, workers=1).bound
    assert find(run(1.0, 1.0, 0.3), cores=2, workers=1).bound == "the processors, most of all by gradient"


def test_time_that_other_programs_took_is_said_to_be_theirs() -> None:
    finding = find(run(0.5, 0.5, 0.5), cores=2, workers=1)
    assert finding.shares[OTHERS] == pytest.approx(0.5, abs=0.01)
    assert "which other programs shared" in finding.bound
    assert "other programs 50%" in str(finding)


def test_one_update_is_too_little_to_judge_by() -> None:
    with pytest.raises(ChorusError, match="at least two updates"):
        find(run(0.5, 0.5, 0.5)[:9], cores=2, workers=1)


def test_what_processes_record_is_put_together_even_if_one_was_killed_in_mid_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(timeline.FOLDER, str(tmp_path / "profile"))
    timeline.start("learner")
    with timeline.span("gradient") as working:
        working.note(rows=96)
    assert timeline.spanned("step", abs)(-3) == 3
    with timeline.span("waiting", track="batch"):
        pass
    timeline.stop()
    [path] = (tmp_path / "profile").glob("learner-*.jsonl")
    path.write_text(path.read_text() + '{"ph": "X", "na')
    events = merge(tmp_path / "profile", tmp_path / "profile.json")
    assert [event["name"] for event in events if event["ph"] == "X"] == ["gradient", "step", "waiting"]
    shown = json.loads((tmp_path / "profile.json").read_text())["traceEvents"]
    tracks = {event["args"]["name"] for event in shown if event["name"] == "thread_name"}
    assert tracks == {"MainThread", "batch"}
    gradient = next(event for event in shown if event["name"] == "gradient")
    assert gradient["args"] == {"rows": 96}
    assert 0 <= gradient["tdur"] <= gradient["dur"] + 1000


def test_without_being_asked_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(timeline.FOLDER, raising=False)
    timeline.start("learner")
    with timeline.span("gradient"):
        pass
    assert timeline.spanned("step", abs) is abs
    timeline.stop()
    assert not list(tmp_path.iterdir())
