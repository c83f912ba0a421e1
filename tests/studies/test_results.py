"""The tables of docs/results.md are made of what was measured, which is kept seed by seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chorus.studies import defaults, targets
from chorus.studies.configs import CONFIG, DEFAULTS
from chorus.studies.defaults import Measured
from chorus.studies.kept import Kept, days_of
from chorus.studies.targets import Reached


def test_what_is_kept_is_there_for_the_next_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "results" / "kept.json"
    kept = Kept(path)
    assert not kept.has("spread", "100") and not kept.below("spread")
    kept.add({"mean": 1.5}, "spread", "101")
    kept.add({"mean": 2.5}, "spread", "100")
    again = Kept(path)
    assert again.has("spread", "100") and not again.has("spread", "102") and not again.has("balance", "100")
    assert [(seed, found["mean"]) for seed, found in again.below("spread").items()] == [("100", 2.5), ("101", 1.5)]


def test_days_are_told_from_the_first_to_the_last() -> None:
    assert days_of(["2026-11-27", "2026-11-23", "2026-11-25"]) == "2026-11-23 to 2026-11-27"
    assert days_of(["2026-11-27"] * 2) == "2026-11-27"
    assert days_of([]) == ""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with both pairs of marks, and nothing that was measured."""
    path = tmp_path / "results.md"
    path.write_text("\n".join(["# R", targets.BEGIN, targets.END, "between", defaults.BEGIN, defaults.END, "rest", ""]))
    for module in (targets, defaults):
        monkeypatch.setattr(module, "PAGE", path)
        monkeypatch.setattr(module, "KEPT", tmp_path / f"{module.__name__}.json")
    monkeypatch.setattr(targets, "PICTURES", tmp_path / "pictures")
    return path


def told(monkeypatch: pytest.MonkeyPatch, main: Callable[[], int], *words: str) -> None:
    """Call the command of a study with these words."""
    monkeypatch.setattr("sys.argv", ["study", *words])
    assert main() == 0


def test_a_target_is_told_as_it_was_measured_and_no_seed_is_measured_twice(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def run(target: targets.Target, arm: str, seed: int, folder: Path, actors: int) -> Reached:
        asked.append((arm, seed))
        best = {CONFIG: 0.98, DEFAULTS: 0.5}[arm] - 0.01 * (seed - 100)
        return Reached(best, 150_000 + seed, 40.0, ([0, 150_000], [0.1, best]))

    monkeypatch.setattr(targets, "run", run)
    told(monkeypatch, targets.main, "foraging-8x8", "--seeds", "2")
    told(monkeypatch, targets.main, "foraging-8x8", "--seeds", "3")
    assert asked == [(arm, seed) for seed in (100, 101, 102) for arm in (DEFAULTS, CONFIG)]
    line = next(line for line in page.read_text().splitlines() if line.startswith("| `foraging-8x8` "))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "0.97 in 160,000"
    assert cells[2].startswith("**0.490**") and cells[2].endswith("(0.500 0.490 0.480)")
    assert cells[3].startswith("**0.970**") and cells[3].endswith("(0.980 0.970 0.960)")
    assert cells[4:7] == ["150,100–150,102", "40", "yes"]
    assert (targets.PICTURES / "foraging-8x8.png").read_bytes().startswith(b"\x89PNG")
    assert "between" in page.read_text() and page.read_text().endswith("rest\n")


def test_a_target_that_took_more_steps_than_it_may_is_not_reached() -> None:
    target = targets.TABLE["foraging-8x8"]
    found = [Reached(0.99, target.env_steps + 1, 40.0, ([0], [0.1]))]
    assert "| no |" in targets.row("foraging-8x8", target, {CONFIG: found, DEFAULTS: []})


def test_the_score_of_the_defaults_lies_between_untrained_and_the_config(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measure(name: str, seed: int, folder: Path, actors: int) -> list[Measured]:
        asked.append(seed)
        return [Measured(-1.0, 1.0, 0.9), Measured(0.0, 1.0, 0.5)]

    monkeypatch.setattr(defaults, "measure", measure)
    for _ in range(2):
        told(monkeypatch, defaults.main, "tictactoe", "spread", "--seeds", "1")
    assert asked == [100], "a config that is the defaults is not run, nor a seed twice"
    lines = [line for line in page.read_text().splitlines() if line.startswith("|")]
    begins, answers = next((lines[i], lines[i + 1]) for i, line in enumerate(lines) if "`tictactoe`" in line)
    assert begins.endswith("| -1.00 | 1.00 | 0.90 | 0.95 | yes |")
    assert answers.endswith("| 0.00 | 1.00 | 0.50 | 0.50 | no |")
    assert any(line.startswith("| `spread` | nothing |") for line in lines)
