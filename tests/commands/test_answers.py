"""Commands that explain: settings, configurations, help; and that any terminal can show what they say."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from chorus.commands.faults import NOT_INSTALLED, OWN, end
from chorus.commands.parser import COMMANDS, main
from chorus.commands.terminal import speak_plainly
from chorus.common.settings import shipped
from chorus.local.waiting import reason
from chorus.protos.chorus.v1 import rollout_pb2 as pb


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_every_setting_is_listed_and_a_part_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = said(capsys, "settings"), said(capsys, "settings", "loss")
    assert "loss.entropy" in whole and "optimiser.learning_rate" in whole
    assert "loss.entropy" in part and "optimiser.learning_rate" not in part
    assert "loss.entropy" in said(capsys, "settings", "loss.entropy")


def test_the_configurations_that_come_along_are_listed_and_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "configs")
    assert all(config.name in listed and config.spec in listed for config in shipped.every())
    assert said(capsys, "configs", "spread") == shipped.find(Path("spread")).read_text()


def test_an_environment_with_known_settings_says_so() -> None:
    assert shipped.suitable("spread?agents=7") == ["spread"]
    assert shipped.suitable("my.herd:Herd") == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split()).lower()
    assert COMMANDS[command].SUMMARY.split(":")[0].lower() in said


def test_a_terminal_of_ascii_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    speak_plainly()
    print("▁▄█ → 95 % … λ ☃")
    sys.stdout.flush()
    assert raw.getvalue() == b"_:# -> 95 % ... lambda ?\n"


def test_a_package_that_is_not_installed_is_named_with_its_extra(capsys: pytest.CaptureFixture[str]) -> None:
    assert end("train", ModuleNotFoundError("No module named 'PIL'", name="PIL.Image")) == NOT_INSTALLED
    assert "pip install 'chorus-marl[learner]'" in capsys.readouterr().err


def test_a_fault_of_our_own_is_not_put_on_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    assert end("train", KeyError("x")) == OWN
    answer = capsys.readouterr().err
    assert "KeyError" in answer and "a bug in Chorus" in answer


def test_what_a_run_waits_for_is_told() -> None:
    assert "no actor has joined yet at h:1" in reason(pb.StatusReply(), 4, "h:1")
    assert reason(pb.StatusReply(), 4, "h:1", "actor-0 ended with code 4").endswith("; actor-0 ended with code 4")
    playing = pb.StatusReply(actors=[pb.ActorStatus(actor="a")], tasks=pb.TaskCounts(completed=1))
    assert reason(playing, 4, "h:1") == "1 actor plays the first batch, 1 of 4 tasks are done"
    playing.tasks.completed = 4
    assert "gradient" in reason(playing, 4, "h:1")
