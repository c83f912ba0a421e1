"""An actor that alters rewards: found by audits, named by a third run, barred if that is wanted."""

import pytest
import yaml

from tests.system.processes import QUICK, Chorus, Process, batches, weights

OWN = "tests.system.toys:fair"
SMALL = ("--env", OWN, "--set", "task.episodes=4", "--set", "update.tasks=4", "--set", "learner.workers=2")
ALLOWED = ("--allow-env", "tests.system.toys:*")


def train_with_a_liar(chorus: Chorus, *settings: str) -> tuple[Process, Process]:
    """A run to its end with two honest actors and `liar`, on whose host every reward is raised; learner and liar."""
    learner, address = chorus.learner("run", *SMALL, *settings)
    liar = chorus.actor(address, "liar", *ALLOWED, TOY_LIE="0.5")
    liar.event("ready")
    for name in ("honest-0", "honest-1"):
        chorus.actor(address, name, *ALLOWED)
    learner.succeeded()
    return learner, liar


def in_peace(chorus: Chorus, *settings: str) -> str:
    """The final weights of the same run without a liar."""
    peace = chorus.folder / "peace"
    chorus.run("train", "--no-pictures", "--out", peace, *QUICK, *SMALL, *settings, "--actors", "1")
    return weights(peace)


def found_named_and_barred(chorus: Chorus, learner: Process, liar: Process) -> None:
    assert learner.event("audit decided")["liar"] == "liar"
    assert learner.event("actor refused", reason="barred")["actor"] == "liar"
    assert "it is 'liar' that is wrong" in liar.refused()
    told = yaml.safe_load((chorus.folder / "run" / "config.yaml").read_text())["run"]
    assert "it is 'liar' that is wrong" in str(told["not_reproducible"])
    (accounts,) = [event for event in learner.events() if event["event"] == "accounts"]
    assert accounts["balanced"]


def test_a_liar_is_named_and_barred_and_where_all_is_audited_nothing_that_it_altered_is_learned_from(
    chorus: Chorus,
) -> None:
    learner, liar = train_with_a_liar(chorus, "--updates", "4", "--audit", "1", "--set", "audit.bar=true")
    found_named_and_barred(chorus, learner, liar)
    assert weights(chorus.folder / "run") == in_peace(chorus, "--updates", "4")


@pytest.mark.slow
def test_a_liar_is_found_named_and_barred_within_200_tasks_at_5_percent(chorus: Chorus) -> None:
    learner, liar = train_with_a_liar(chorus, "--updates", "50", "--audit", "0.05", "--set", "audit.bar=true")
    found_named_and_barred(chorus, learner, liar)
    played = [task["actor"] for batch in batches(chorus.folder / "run") for task in batch["tasks"]]
    assert len(played) == 200
    assert "liar" not in played[-8:], "what it plays is not learned from any more"


@pytest.mark.slow
@pytest.mark.parametrize("lag", ["0", "2"])
def test_a_named_actor_that_is_not_barred_plays_on_and_what_was_audited_is_put_right(chorus: Chorus, lag: str) -> None:
    train_with_a_liar(chorus, "--updates", "6", "--audit", "1", "--lag", lag)
    assert weights(chorus.folder / "run") == in_peace(chorus, "--updates", "6", "--lag", lag)
