"""What `chorus train` shows on a recorded terminal: at its start, in its middle, at its end, when it is to stop."""

import io
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from chorus.local.view import View, clock_at, duration, sparkline

SIZES = ((80, 24), (200, 50), (40, 10))


class Terminal:
    """A recorded terminal of some size, and a clock that goes as told."""

    def __init__(self, width: int, height: int, encoding: str = "utf-8", terminal: bool = True) -> None:
        self.bytes = io.BytesIO()
        self.file = io.TextIOWrapper(self.bytes, encoding=encoding)
        self.console = Console(file=self.file, force_terminal=terminal, width=width, height=height, color_system=None)
        self.now = 0.0

    def view(self, title: str = "spread?agents=3 in runs/x", updates: int = 1000) -> View:
        return View(title, updates, 0, self.console, lambda: self.now)

    def shown(self) -> list[str]:
        """The lines of what was drawn last."""
        self.file.flush()
        frames = self.bytes.getvalue().decode(self.file.encoding).replace("\x1b[?25l", "").split("\x1b[2K")
        drawn = frames[-1].replace("\r", "").replace("\x1b[?25h", "")
        return [line for line in drawn.split("\n") if line.strip("\x1b[1A ")]


def progress(version: int, evaluation: Any = "") -> Any:
    report = SimpleNamespace(
        version=version,
        mixed_return=-100.0 + version / 10,
        individual_return=-5.0,
        team_return=-95.0,
        entropy=1.5,
        disagreement=1e-7,
        gradient_norm=0.5,
    )
    row = {"agent_steps": 9600 * version, "evaluation_return": evaluation, "policy_lag": 0, "episode_length": 25.0}
    return SimpleNamespace(report=report, row=row, actors=2, warnings=())


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_line_is_wider_than_the_terminal_and_no_frame_higher(width: int, height: int) -> None:
    terminal = Terminal(width, height)
    view = terminal.view("a very long name of an environment " * 5)
    for version in (1, 500, 1000):
        terminal.now += 100.0
        view.update(progress(version, -50.0))
        lines = terminal.shown()
        assert lines
        assert max(map(len, lines)) <= width
        assert len(lines) <= height
    view.close()


def test_start_middle_end_and_stop() -> None:
    terminal = Terminal(80, 24)
    view = terminal.view()
    assert "waiting for actors" in "\n".join(terminal.shown())
    for version in range(1, 501):
        terminal.now += 1.0
        view.update(progress(version, -61.5 if version == 400 else ""))
    shown = "\n".join(terminal.shown())
    assert "500 of 1000" in shown
    assert "8:20" in shown, "500 updates of a second each are left"
    assert "-61.50" in shown
    view.stopping()
    assert "stopping: the present update is finished" in "\n".join(terminal.shown())
    terminal.now += 1.0
    view.update(progress(1000))
    assert "1000 of 1000" in "\n".join(terminal.shown())
    view.close()


def test_the_time_left_is_that_of_the_speed_now() -> None:
    terminal = Terminal(80, 24)
    view = terminal.view(updates=400)
    for version in range(1, 301):
        terminal.now += 10.0 if version <= 200 else 0.5
        view.update(progress(version))
    assert "0:50" in "\n".join(terminal.shown())
    view.close()


def test_a_terminal_without_bars_is_shown_what_it_can_show() -> None:
    terminal = Terminal(80, 24, encoding="ascii")
    view = terminal.view()
    for version in range(1, 50):
        terminal.now += 1.0
        view.update(progress(version))
    assert "#" in "\n".join(terminal.shown())
    view.close()


def test_names_are_text_whatever_they_look_like() -> None:
    terminal = Terminal(80, 24)
    view = terminal.view("[red]spread[/] [link=http://x]y[/link]")
    terminal.now += 1.0
    view.update(progress(1))
    assert "[red]spread[/]" in "\n".join(terminal.shown())
    view.close()


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_plain_lines_fit_too(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal(80, 24, terminal=False)
    view = terminal.view("x" * 300)
    for version in range(1, 30):
        terminal.now += 1.0
        view.update(progress(version, -50.0))
    view.stopping()
    view.close()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("update 1/1000")


def test_durations() -> None:
    assert [duration(seconds) for seconds in (None, 5, 65, 7384, 200_000)] == [
        "-",
        "0:05",
        "1:05",
        "2:03:04",
        "2 d 7 h",
    ]


def test_an_end_that_is_not_today_is_named_with_its_day() -> None:
    noon = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, 0))
    hour = 3600.0
    assert clock_at(noon, 2 * hour) == "14:00"
    assert clock_at(noon, 48 * hour) == "Sat 12:00"
    assert clock_at(noon, 24 * 40 * hour) == "2027-01-05"


def test_a_sparkline_is_no_wider_than_asked_for() -> None:
    assert sparkline([1.0, 2.0, 3.0], 10) == "▁▅█"
    assert len(sparkline([float(n) for n in range(1000)], 17)) == 17
