"""`chorus train --profile`, as people run it."""

import json

from tests.system.processes import Chorus


def test_a_profile_shows_learner_and_actors_on_one_clock_and_says_what_bounded_the_run(chorus: Chorus) -> None:
    said = chorus.run("train", "--out", chorus.folder / "run", "--updates", "12", "--actors", "2", "--profile")
    line = next(line for line in said.splitlines() if line.startswith("profile:"))
    assert "bounded by" in line
    events = json.loads((chorus.folder / "run" / "profile.json").read_text())["traceEvents"]
    names = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    assert sorted(names.values()) == ["actor-0", "actor-1", "learner"]
    by_process = {
        name: {event["name"] for event in events if event["ph"] == "X" and names[event["pid"]] == name}
        for name in names.values()
    }
    assert {"gradient", "step", "intake", "record", "checkpoint"} <= by_process["learner"]
    assert {"play", "encode", "wait"} <= by_process["actor-0"] | by_process["actor-1"]
    plays = [event for event in events if event["name"] == "play"]
    steps = [event for event in events if event["name"] == "step"]
    assert min(event["ts"] for event in plays) < min(event["ts"] for event in steps)
    assert max(event["ts"] for event in plays) < max(event["ts"] for event in steps)
