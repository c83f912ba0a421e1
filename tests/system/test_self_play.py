"""Self-play against past versions keeps the promise: actors, kills and replays change no bit."""

import json
import shutil

import pytest
import yaml

from tests.system.processes import QUICK, Chorus, players, rows, until, weights

SETTINGS = (
    *("--env", "pettingzoo:classic.tictactoe_v3", "--updates", "10", "--seed", "3", "--set", "checkpoint.every=4"),
    *("--set", "network.channels=[]", "--set", "update.tasks=6", "--set", "checkpoint.keep=1"),
)
OPPONENTS = ("--set", "opponents={player_1: past, player_2: past}", "--set", "self_play.every=3")


def test_neither_actors_nor_kills_nor_replays_change_a_bit(chorus: Chorus) -> None:
    one = chorus.train("one", *SETTINGS, *OPPONENTS, "--actors", "1")
    run = chorus.folder / "killed"
    victim = chorus.start("train", "--out", run, "--actors", "3", *QUICK, *SETTINGS, *OPPONENTS)
    until(lambda: len(rows(run)) > 4)
    victim.kill()
    chorus.train("killed", *SETTINGS, *OPPONENTS, "--actors", "3")
    assert max(len(names) for names in players(run)) > 1, "nothing was shared, so nothing was shown"
    assert weights(run) == weights(one)

    assert "the record holds the same" in chorus.run("replay", one, "--update", "9", "--task", "2")


@pytest.mark.slow
def test_nor_do_they_against_a_frozen_policy_and_a_script_even_when_the_other_run_is_gone(chorus: Chorus) -> None:
    other = chorus.train("other", *SETTINGS, "--updates", "2", "--set", "network.lstm=8")
    kinds = {"player_1": f"frozen:{other}", "player_2": "scripted:tests.scripted_players:by_chance"}
    against = ("--set", f"opponents={json.dumps(kinds)}", "--set", "self_play.share=0.8")
    one = chorus.train("one", *SETTINGS, *against, "--actors", "1")
    three = chorus.train("three", *SETTINGS, *against, "--actors", "3")
    assert max(len(names) for names in players(three)) > 1, "nothing was shared, so nothing was shown"
    assert weights(one) == weights(three)
    assert weights(one) != weights(chorus.train("alone", *SETTINGS)), "opponents make a difference"
    told = yaml.safe_load((one / "config.yaml").read_text())
    assert told["frozen"][str(other)]["sha256"] == weights(other)
    assert told["run"]["fingerprint"]["opponent scripted:tests.scripted_players:by_chance"].startswith("sha256:")

    run = chorus.folder / "killed"
    victim = chorus.start("train", "--out", run, "--actors", "2", *QUICK, *SETTINGS, *against)
    until(lambda: len(rows(run)) > 4)
    victim.kill()
    shutil.rmtree(other)
    chorus.train("killed", *SETTINGS, *against, "--actors", "2")
    assert weights(run) == weights(one)
    for task in ("0", "1", "2"):
        assert "the record holds the same" in chorus.run("replay", one, "--update", "9", "--task", task)
