"""Self-play against past versions keeps the promise: actors, kills and replays change no bit."""

from tests.system.processes import QUICK, Chorus, players, rows, until, weights

SETTINGS = (
    *("--env", "pettingzoo:classic.tictactoe_v3", "--updates", "10", "--seed", "3", "--set", "checkpoint.every=4"),
    *("--set", "network.channels=[]", "--set", "update.tasks=6", "--set", "checkpoint.keep=1"),
)
OPPONENTS = ("--set", "opponents={player_1: past, player_2: past}", "--set", "self_play.every=3")


def test_neither_actors_nor_kills_nor_replays_change_a_bit(chorus: Chorus) -> None:
    one = chorus.train("one", *SETTINGS, *OPPONENTS, "--actors", "1")
    three = chorus.train("three", *SETTINGS, *OPPONENTS, "--actors", "3")
    assert max(len(names) for names in players(three)) > 1, "nothing was shared, so nothing was shown"
    assert weights(one) == weights(three)

    run = chorus.folder / "killed"
    victim = chorus.start("train", "--out", run, "--actors", "2", *QUICK, *SETTINGS, *OPPONENTS)
    until(lambda: len(rows(run)) > 4)
    victim.kill()
    chorus.train("killed", *SETTINGS, *OPPONENTS, "--actors", "2")
    assert weights(run) == weights(one)

    assert "the record holds the same" in chorus.run("replay", one, "--update", "9", "--task", "2")
