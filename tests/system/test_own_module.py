"""A run by a network of the user's own is as reproducible as any other."""

import yaml

from tests.system.processes import Chorus, players, weights

SETTINGS = ("--updates", "4", "--seed", "3", "--set", "update.tasks=8")
MODULE = "tests.modules:remembering"


def test_one_actor_and_three_learn_the_same_weights_and_the_run_can_be_replayed(chorus: Chorus) -> None:
    settings = (*SETTINGS, "--set", f"network.module={MODULE}")
    one = chorus.train("one", *settings, "--actors", "1")
    three = chorus.train("three", *settings, "--actors", "3")
    assert max(len(names) for names in players(three)) > 1, "nothing was shared, so nothing was shown"
    assert weights(one) == weights(three)
    named = yaml.safe_load((one / "config.yaml").read_text())["network"]
    assert named["module"] == MODULE
    assert len(named["module_sha256"]) == 64
    assert "the record holds the same" in chorus.run("replay", one, "--update", "3", "--task", "5")
