"""What `chorus train` shows: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chorus.common.process.logs import printable
from chorus.learner.bookkeeper import Progress

LINE_SECONDS = 2.0
SHOWN_SECONDS = 0.25
SPARKS = "▁▂▃▄▅▆▇█"
PLAIN_SPARKS = "_.-=+*%#"
"""For terminals whose encoding has no bars."""
CURVE_WIDTH = 60
RECENT_UPDATES = 50
"""Speed, and so the time that is left, are those of so many updates."""
NARROW = 60
"""On a terminal with fewer columns, values stand below one another."""
HALF_A_DAY = 12 * 3600
SHORT = 14
"""On a terminal with fewer lines, only the first of them are shown."""


class View:
    """Shows progress until `close`."""

    def __init__(
        self,
        title: str,
        updates: int,
        first: int,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A run of `updates` updates that starts, or goes on, at update `first`."""
        self.console = console or Console()
        self._clock = clock
        self._title = title
        self._updates = updates
        self._marks: deque[tuple[float, int, int]] = deque([(clock(), first, 0)], RECENT_UPDATES + 1)
        self._shown = -LINE_SECONDS
        self._returns: list[float] = []
        self._evaluation = ""
        self._note = ""
        self._last: Progress | None = None
        self._live: Live | None = None
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
            self._live.update(self._framed(Text("waiting for actors")), refresh=True)
        else:
            self._say(f"{title}: waiting for actors")

    def update(self, progress: Progress) -> None:
        """Take in an update; show it if it is time."""
        self._last = progress
        for warning in progress.warnings:
            self.say(f"warning: {warning}")
        self._returns.append(progress.report.mixed_return)
        now = self._clock()
        self._marks.append((now, progress.report.version, int(progress.row["agent_steps"])))
        evaluation = progress.row["evaluation_return"]
        self._evaluation = f"{evaluation:.2f}" if isinstance(evaluation, float) else self._evaluation
        last = progress.report.version == self._updates
        if now - self._shown < (SHOWN_SECONDS if self._live else LINE_SECONDS) and not last:
            return
        self._shown = now
        self._show(progress)

    def wait(self, why: str) -> None:
        """Show why there is nothing to show."""
        if self._live:
            self._live.update(self._framed(Text(f"waiting: {why}")), refresh=True)
        else:
            print(f"waiting: {why}", flush=True)

    def say(self, words: str) -> None:
        """Something to be read and kept, above what changes."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def note(self, what: str) -> None:
        """Something that a person should know now; it stays on the screen."""
        self.say(f"note: {printable(what)}")

    def stopping(self) -> None:
        """Somebody asked for the end: say that it was heard."""
        self._note = "stopping: the present update is finished and a checkpoint written"
        if self._live is None:
            self._say(self._note)
        elif self._last is not None:
            self._show(self._last)
        else:
            self._live.update(self._framed(Text(self._note)), refresh=True)

    def close(self) -> None:
        """Stop showing."""
        if self._live:
            self._live.stop()
            self._live = None

    def _show(self, progress: Progress) -> None:
        if self._live:
            self._live.update(self._panel(progress), refresh=True)
        else:
            self._say(self._line(progress))

    def _say(self, line: str) -> None:
        """A line that no terminal has to break."""
        width = shutil.get_terminal_size().columns
        print(line if len(line) <= width else line[: width - 3] + "...", flush=True)

    def _left(self, progress: Progress) -> float | None:
        """Seconds to the end at the speed of the last updates."""
        (since, first, _), (now, version, _) = self._marks[0], self._marks[-1]
        done = version - first
        return (now - since) / done * (self._updates - progress.report.version) if done > 0 else None

    def _rate(self) -> float:
        (since, _, before), (now, _, steps) = self._marks[min(1, len(self._marks) - 1)], self._marks[-1]
        return (steps - before) / (now - since) if now > since else 0.0

    def _recent(self) -> float:
        recent = self._returns[-max(1, len(self._returns) // 30) :]
        return sum(recent) / len(recent)

    def _line(self, progress: Progress) -> str:
        """The most important values first, and only as many of them as fit."""
        row = progress.row
        parts = [
            f"update {progress.report.version}/{self._updates}",
            f"return {self._recent():.2f}",
            f"left {duration(self._left(progress))}",
            *([f"evaluation {self._evaluation}"] if self._evaluation else []),
            f"{self._rate():,.0f} agent-steps/s",
            f"actors {progress.actors}",
            f"{row['agent_steps']:,} agent-steps",
            f"lag {row['policy_lag']}",
        ]
        width = shutil.get_terminal_size().columns
        line = parts.pop(0)
        while parts and len(line) + 2 + len(parts[0]) <= width:
            line += f"  {parts.pop(0)}"
        return line

    def _panel(self, progress: Progress) -> Panel:
        row, report = progress.row, progress.report
        left = self._left(progress)
        values = [
            ("update", f"{report.version} of {self._updates}"),
            ("return", f"{self._recent():.2f}"),
            ("time left", duration(left)),
            ("ends about", "-" if left is None else clock_at(time.time(), left)),
            ("evaluation", self._evaluation or "-"),
            ("actors", str(progress.actors)),
            ("individual / team", f"{report.individual_return:.2f} / {report.team_return:.2f}"),
            ("episode length", f"{row['episode_length']:.1f}"),
            ("agent-steps", f"{row['agent_steps']:,}"),
            ("per second", f"{self._rate():,.0f}"),
            ("entropy", f"{report.entropy:.3f}"),
            ("policy lag", str(row["policy_lag"])),
            ("agreement", f"{report.disagreement:.1e}"),
            ("gradient norm", f"{report.gradient_norm:.3f}"),
        ]
        columns = 1 if self.console.width < NARROW else 2
        room = max(1, self.console.height - 5) * columns if self.console.height < SHORT else len(values)
        table = Table.grid(padding=(0, 2))
        for place in range(0, min(len(values), room), columns):
            table.add_row(*(cell for name, value in values[place : place + columns] for cell in (name, value)))
        width = min(CURVE_WIDTH, self.console.width - 4)
        curve = Text(sparkline(self._returns, width, self._sparks()), style="cyan", no_wrap=True)
        parts: list[RenderableType] = [table, self._bar(report.version / self._updates, width), curve]
        return self._framed(Group(*parts, *([Text(self._note)] if self._note else [])))

    def _framed(self, inside: Text | Group) -> Panel:
        """In a frame no wider than the terminal, under the title: text, whatever it looks like."""
        title = Text(self._title, overflow="ellipsis", no_wrap=True)
        return Panel(inside, title=title, expand=False, width=min(self.console.width, CURVE_WIDTH + 20))

    def _bar(self, done: float, width: int) -> Text:
        """How much of the run is done."""
        full, empty = "━─" if self._sparks() is SPARKS else "=-"
        length = min(width, round(done * width))
        return Text.assemble((full * length, "green"), (empty * (width - length), "dim"), no_wrap=True)

    def _sparks(self) -> str:
        try:
            SPARKS.encode(self.console.encoding)
        except UnicodeEncodeError:
            return PLAIN_SPARKS
        return SPARKS


def duration(seconds: float | None) -> str:
    """`1:05`, `2:03:04`, `3 d 4 h`; a dash where it is not known."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole >= 48 * 3600:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


def clock_at(now: float, left: float) -> str:
    """When `left` seconds from `now` (since the epoch) will have passed: `14:05`, `Sat 14:05`, `2027-01-31`."""
    form = "%H:%M" if left < HALF_A_DAY else "%a %H:%M" if left < 12 * HALF_A_DAY else "%Y-%m-%d"
    return time.strftime(form, time.localtime(now + left))


def sparkline(values: list[float], most: int = CURVE_WIDTH, bars: str = SPARKS) -> str:
    """The values as one line of bars, at most `most` wide, each the mean of its share."""
    width = max(1, min(most, len(values)))
    bins = [values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width)]
    means = [sum(part) / len(part) for part in bins]
    low, high = min(means), max(means)
    return "".join(bars[round((mean - low) / (high - low or 1.0) * (len(bars) - 1))] for mean in means)
