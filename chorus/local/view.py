"""What `chorus train` shows: a live panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from chorus.common.process.logs import printable
from chorus.learner.coordinator import Progress

LINE_SECONDS = 2.0
SPARKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 60


class View:
    """Shows progress until `close`."""

    def __init__(self, title: str, updates: int, first: int) -> None:
        """A run of `updates` updates that starts, or goes on, at update `first`."""
        self.console = Console()
        self._title = title
        self._updates = updates
        self._first = first
        self._began = time.monotonic()
        self._shown = 0.0
        self._returns: list[float] = []
        self._live: Live | None = None
        if self.console.is_terminal:
            self._live = Live(
                Panel("waiting for actors", title=title), console=self.console, refresh_per_second=4, transient=True
            )
            self._live.start()
        else:
            print(f"{title}: waiting for actors", flush=True)

    def update(self, progress: Progress) -> None:
        """Take in an update; show it if it is time."""
        self._returns.append(progress.report.mixed_return)
        for warning in progress.warnings:
            self.say(f"warning: {warning}")
        now = time.monotonic()
        last = progress.report.version == self._updates
        if now - self._shown < (0.25 if self._live else LINE_SECONDS) and not last:
            return
        self._shown = now
        if self._live:
            self._live.update(self._panel(progress))
        else:
            print(self._line(progress), flush=True)

    def wait(self, why: str) -> None:
        """Show why there is nothing to show."""
        if self._live:
            self._live.update(Panel(f"waiting: {why}", title=self._title))
        else:
            print(f"waiting: {why}", flush=True)

    def say(self, words: str) -> None:
        """Something to be read and kept, above what changes."""
        self.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def note(self, what: str) -> None:
        """Something that a person should know now; it stays on the screen."""
        self.say(f"note: {printable(what)}")

    def close(self) -> None:
        """Stop showing."""
        if self._live:
            self._live.stop()
            self._live = None

    def _left(self, progress: Progress) -> str:
        done = progress.report.version - self._first
        seconds = (time.monotonic() - self._began) / max(done, 1) * (self._updates - progress.report.version)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def _recent(self) -> float:
        recent = self._returns[-max(1, len(self._returns) // 30) :]
        return sum(recent) / len(recent)

    def _line(self, progress: Progress) -> str:
        row = progress.row
        return (
            f"update {progress.report.version}/{self._updates}  return {self._recent():.2f}"
            f"  {row['agent_steps']:,} agent-steps  {self._rate(progress):,.0f}/s  actors {progress.actors}"
            f"  lag {row['policy_lag']}  left {self._left(progress)}"
        )

    def _rate(self, progress: Progress) -> float:
        return float(progress.row["agent_steps"]) / max(float(progress.row["seconds"]), 1e-9)

    def _panel(self, progress: Progress) -> Panel:
        row, report = progress.row, progress.report
        table = Table.grid(padding=(0, 3))
        table.add_row("update", f"{report.version} of {self._updates}", "time left", self._left(progress))
        table.add_row("return", f"[bold]{self._recent():.2f}[/]", "episode length", f"{row['episode_length']:.1f}")
        table.add_row(
            "individual / team",
            f"{report.individual_return:.2f} / {report.team_return:.2f}",
            "entropy",
            f"{report.entropy:.3f}",
        )
        table.add_row("agent-steps", f"{row['agent_steps']:,}", "per second", f"{self._rate(progress):,.0f}")
        table.add_row("actors", str(progress.actors), "policy lag", str(row["policy_lag"]))
        table.add_row("agreement", f"{report.disagreement:.1e}", "gradient norm", f"{report.gradient_norm:.3f}")
        outer = Table.grid()
        outer.add_row(table)
        outer.add_row(f"[cyan]{sparkline(self._returns)}[/]")
        return Panel(outer, title=self._title, expand=False)


def sparkline(values: list[float]) -> str:
    """The values as one line of bars, at most 60 wide, each the mean of its share."""
    width = min(CURVE_WIDTH, len(values))
    bins = [values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width)]
    means = [sum(part) / len(part) for part in bins]
    low, high = min(means), max(means)
    return "".join(SPARKS[round((mean - low) / (high - low or 1.0) * (len(SPARKS) - 1))] for mean in means)
