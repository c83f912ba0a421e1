"""`chorus check-env`: finds what is wrong, says what to do, and exits with 1 if Chorus could not train on it."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chorus.commands.check_env import add_arguments, check, run
from chorus.common.environments.checks.episode_monitor import EpisodeMonitor
from chorus.common.environments.checks.examination import Examination, examine
from chorus.common.environments.checks.finding import Finding, Verdict
from chorus.common.environments.spread import Spread

TOYS = "tests.common.environments.toys"


def command(*words: str) -> int:
    """`chorus check-env WORDS`: its exit code."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def findings(examination: Examination, topic: str) -> list[Finding]:
    return [finding for finding in examination.findings if finding.topic == topic]


def test_a_good_environment_is_described_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("spread?agents=2", "--episodes", "4") == 0
    printed = capsys.readouterr().out
    for words in ("chorus-spread", "2: agent_0, agent_1", "discrete 5", "25 … 25 steps", "team reward", "env-steps/s"):
        assert words in printed
    assert "agrees with this one" in printed and "Chorus can train on it." in printed


def test_scripts_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("spread?agents=2", "--episodes", "2", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (
        report["trainable"]
        and {"topic": "observations", "text": "12", "verdict": "fact", "remedy": ""} in report["findings"]
    )


def test_what_cannot_be_made_fails_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("spread?agnets=2") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "FAULT" in printed and "did you mean 'agents'?" in printed and "cannot train" in printed


@pytest.mark.parametrize(
    ("spec", "topic", "words"),
    [
        (f"{TOYS}:walk?source=poison", "rules", "an observation is NaN or infinite"),
        (f"{TOYS}:walk?length=300", "endless", "5 of 5 episodes were not over after 200 steps"),
        (f"{TOYS}:growing", "rules", r"observed an array of shape \[3\] where its space promises \[2\]"),
        (f"{TOYS}:breaking", "crash", "RuntimeError: the bridge is out"),
        (f"{TOYS}:barred", "rules", "agent 'a' is to act but its action mask allows nothing"),
    ],
)
def test_what_could_not_be_trained_on_is_a_fault_with_a_remedy(spec: str, topic: str, words: str) -> None:
    examination = examine(spec, episodes=5, seed=0, steps=200)
    assert not examination.trainable
    fault = next(finding for finding in examination.findings if finding.verdict is Verdict.FAULT)
    assert fault.topic == topic and re.search(words, fault.text), fault
    assert fault.remedy


@pytest.mark.parametrize(
    ("source", "topic", "words"),
    [
        ("entropy", "reproducible", "two fresh instances differ"),
        ("remembers", "reuse", "keeps something from one task to the next"),
        ("global", "randomness", "global generator"),
    ],
)
def test_what_cannot_be_repeated_is_noted_but_can_be_trained_on(source: str, topic: str, words: str) -> None:
    examination = check(f"{TOYS}:walk?source={source}", episodes=3)
    assert examination.trainable
    (finding,) = findings(examination, topic)
    assert finding.verdict is Verdict.NOTE and words in finding.text and finding.remedy


def test_another_process_with_other_hashes_must_agree() -> None:
    (finding,) = findings(check(f"{TOYS}:walk?source=hash", episodes=2), "other process")
    assert finding.verdict is Verdict.NOTE and "PYTHONHASHSEED" in finding.text and "sort" in finding.remedy
    (finding,) = findings(check(f"{TOYS}:walk", episodes=2), "other process")
    assert finding.verdict is Verdict.FACT and "agrees" in finding.text


def test_lives_turns_and_scale_are_told() -> None:
    examination = examine(f"{TOYS}:lively", episodes=3, seed=0, steps=50)
    assert findings(examination, "lives")[0].text == "6 ended in mid-episode, 6 agents were reborn, in 3 episodes"
    assert findings(examination, "turns")
    assert findings(examination, "scale")[0].text == "observations reach 50", "the sixth step shows nobody anything"
    assert findings(examination, "episodes")[0].text.startswith("6 … 6 steps")


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        "spread",
        "pettingzoo:mpe2.simple_spread_v3",
        "pettingzoo:mpe2.simple_speaker_listener_v4",
        "pettingzoo:mpe2.simple_tag_v3",
        "pettingzoo:mpe2.simple_adversary_v3",
        "pettingzoo:sisl.pursuit_v5?max_cycles=60",
        "pettingzoo:sisl.multiwalker_v9?max_cycles=60",
        "pettingzoo:butterfly.knights_archers_zombies_v11",
        "pettingzoo:classic.tictactoe_v3",
        "pettingzoo:classic.connect_four_v3",
        "gymnasium:Foraging-8x8-2p-3f-v3",
        "gymnasium:Foraging-8x8-2p-3f-coop-v3",
        "gymnasium:rware-tiny-2ag-v2",
        "vmas:navigation?n_agents=3",
        "vmas:balance",
    ],
)
def test_every_adapter_repeats_itself_in_another_process(spec: str) -> None:
    examination = check(spec, episodes=2)
    if any("is not installed" in finding.text for finding in examination.findings):
        pytest.skip(examination.findings[0].text)
    assert examination.trainable and examination.reproducible, examination.findings
    assert "agrees" in findings(examination, "other process")[0].text


def test_a_reward_that_all_agents_share_is_recognised_as_the_teams() -> None:
    pytest.importorskip("mpe2")
    shared = examine("pettingzoo:mpe2.simple_spread_v3?local_ratio=0.0", episodes=2, seed=0, steps=50)
    assert findings(shared, "team reward")[0].remedy == "set environment.single_reward to team"
    own = examine("pettingzoo:mpe2.simple_spread_v3?local_ratio=1.0", episodes=8, seed=0, steps=50)
    assert "none apart" in findings(own, "team reward")[0].text


def test_silence_is_not_taken_for_a_shared_reward() -> None:
    """Where random actions never earn anything, nothing was seen of whose reward it would be."""
    pytest.importorskip("lbforaging")
    silent = examine("gymnasium:Foraging-8x8-2p-3f-coop-v3?max_episode_steps=5", episodes=2, seed=0, steps=50)
    assert [finding.text for finding in findings(silent, "team reward")] == ["none apart from the agents' own"]
    assert "random actions never earned anything" in [finding.text for finding in findings(silent, "rewards")]


def test_opponents_are_recognised_and_boards_are_told_from_pictures() -> None:
    pytest.importorskip("pettingzoo")
    game = examine("pettingzoo:classic.tictactoe_v3", episodes=4, seed=0, steps=50)
    assert "--untrained" in findings(game, "opponents")[0].remedy
    assert findings(game, "observations")[0].text == "3×3×2, a picture"
    assert "network.channels to []" in findings(game, "pictures")[0].remedy
    assert not findings(examine("spread", episodes=4, seed=0, steps=50), "opponents")


BREACHES: dict[str, tuple[Callable[[Any, int], dict[str, Any]], str]] = {
    "dtype": (lambda outcome, now: {"rewards": outcome.rewards.astype(np.float64)}, "rewards is float64"),
    "shape": (
        lambda outcome, now: {"team_rewards": outcome.team_rewards[:, None]},
        r"team_rewards is float32 \[2, 1\]",
    ),
    "nan": (lambda outcome, now: {"rewards": outcome.rewards * np.float32("nan")}, "an individual reward is NaN"),
    "over": (lambda outcome, now: {"over": np.full(2, now % 2 == 1)}, "that was over began again"),
    "ended": (lambda outcome, now: {"terminated": np.full((2, 3), now <= 4)}, "ended that had not begun"),
    "present": (lambda outcome, now: {"over": np.ones(2, bool)}, "present in an episode that is over"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_every_rule_of_the_native_interface_is_watched(name: str) -> None:
    alter, words = BREACHES[name]
    environment = Spread(3, steps=6)
    monitor = EpisodeMonitor(environment.spec)
    monitor.begin(environment.reset(2, np.random.default_rng(0)))
    for now in range(1, 7):
        outcome = environment.step(np.zeros((2, 3, 1), np.int32))
        if name == "ended":
            outcome.frame.present[:] = False
        changed = {key: getattr(outcome, key) for key in outcome.__dataclass_fields__} | alter(outcome, now)
        try:
            monitor.see(type(outcome)(**changed))
        except ValueError:  # arrays of the wrong shape may not even be counted
            break
    assert any(re.search(words, breach) for breach in monitor.breaches), monitor.breaches
    assert all(monitor.breaches.values()), "every breach has its remedy"


def test_an_honest_environment_breaks_no_rule() -> None:
    environment = Spread(3, steps=6)
    monitor = EpisodeMonitor(environment.spec)
    monitor.begin(environment.reset(2, np.random.default_rng(0)))
    for _ in range(6):
        monitor.see(environment.step(np.zeros((2, 3, 1), np.int32)))
    monitor.end()
    assert not monitor.breaches and monitor.lengths == [6, 6] and not monitor.unfinished


def test_an_episode_longer_than_promised_is_a_breach() -> None:
    environment = Spread(3, steps=6)
    monitor = EpisodeMonitor(Spread(3, steps=5).spec)
    monitor.begin(environment.reset(2, np.random.default_rng(0)))
    for _ in range(6):
        monitor.see(environment.step(np.zeros((2, 3, 1), np.int32)))
    assert any("max_steps = 5" in breach for breach in monitor.breaches)


def test_what_leaves_its_declared_space_is_noted_with_agent_and_number() -> None:
    examination = examine(f"{TOYS}:outside", episodes=2, seed=0, steps=50)
    assert examination.trainable
    assert [finding.text for finding in findings(examination, "space")] == [
        f"agent {name} observed -7.5, which its space does not hold; it is taken as it is" for name in "ab"
    ]
    assert not findings(examine("spread", episodes=2, seed=0, steps=50), "space")


@pytest.mark.parametrize(
    ("toy", "patience", "words"),
    [
        ("ending", 60.0, r"its process ended of itself \(exit code 0\); printed last:\ngoodbye"),
        ("leaving", 60.0, "it raised SystemExit: 0, which would end the process"),
        ("hanging", 2.0, r"hung: nothing moved for 2 s"),
    ],
)
def test_an_environment_that_ends_its_process_or_hangs_is_told_of_and_the_exit_code_is_1(
    toy: str, patience: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    examination = check(f"{TOYS}:{toy}", episodes=2, patience=patience)
    (fault,) = [finding for finding in examination.findings if finding.verdict is Verdict.FAULT]
    assert re.search(words, fault.text), fault.text
    assert command(f"{TOYS}:{toy}", "--patience", "2", "--json") == 1
    assert not json.loads(capsys.readouterr().out)["trainable"]


def test_what_keeps_a_process_at_exit_keeps_nobody() -> None:
    examination = check(f"{TOYS}:lingering", episodes=2)
    assert examination.trainable and not findings(examination, "prints")
    assert "atexit had not ended" in findings(examination, "left behind")[0].text
    assert "agrees" in findings(examination, "other process")[0].text


def test_a_light_proof_says_what_it_did_not_look_at() -> None:
    assert "was not looked at" in findings(check(f"{TOYS}:walk", level="light"), "reproducible")[0].text
    assert (
        "was not checked for reproducibility" in findings(check(f"{TOYS}:walk", level="none"), "reproducible")[0].text
    )
    remembered = check(f"{TOYS}:walk?source=remembers", level="light")
    assert findings(remembered, "reuse"), "what a single instance shows is still found"


def test_what_a_task_and_an_instance_weigh_is_told() -> None:
    examination = examine(f"{TOYS}:walk", episodes=2, seed=0, steps=50)
    assert findings(examination, "task")[0].text.startswith("by default K = 2 episodes")
    assert "an actor makes 2" in findings(examination, "instances")[0].text
    assert findings(examine("spread", episodes=2, seed=0, steps=50), "instances")[0].text.startswith("one steps all")
