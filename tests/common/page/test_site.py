"""What the page is sent: small however large the run, made once for all who look, never by chance anything else."""

import gzip
import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from chorus.common.monitoring.web import Answer
from chorus.common.page.site import AGAIN, Site
from tests.common.page.large import ACTORS, UPDATES, live, write_large_run

SMALL_ENOUGH = 100_000
"""Bytes: a page that is looked at over a phone asks for so many now and then."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_large_run(tmp_path_factory.mktemp("runs") / "large")


def data(answer: Answer | None) -> Any:
    assert answer is not None
    return json.loads(gzip.decompress(answer.body))["run"]


def test_ten_thousand_updates_and_a_thousand_actors_are_small_and_whole(run: Path) -> None:
    answer = Site(run, live)("/data.json", "")
    told = data(answer)
    assert answer is not None and len(answer.body) < SMALL_ENOUGH
    assert told["update"] == UPDATES
    assert len(told["actors"]) == ACTORS
    assert told["curves"]["update"][-1] == UPDATES - 1
    assert {len(column) for column in told["curves"].values()} == {400}
    assert len(told["evaluations"]["update"]) == UPDATES / 50
    assert [one["text"] for one in told["troubles"]] == ["a task failed: task 7"]


def test_however_many_look_the_data_are_made_once(run: Path) -> None:
    asked: list[int] = []

    def counted() -> dict[str, Any]:
        asked.append(1)
        return live()

    site = Site(run, counted)
    first, *others = [site("/data.json", "") for _ in range(20)]
    assert first is not None
    assert all(other is not None and other.body is first.body for other in others)
    assert len(asked) == 1
    again = site("/data.json", first.headers["ETag"])
    assert again is not None
    assert (again.status, again.body) == (304, b"")


def test_data_are_made_anew_by_the_time_that_the_learner_had_and_by_how_many_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = {"monotonic": 100.0, "process_time": 10.0, "thread_time": 0.0}
    for name in clocks:
        monkeypatch.setattr(f"time.{name}", lambda name=name: clocks[name])
    load = [0.5]
    monkeypatch.setattr("os.getloadavg", lambda: (load[0] * (os.cpu_count() or 1), 0.0, 0.0))
    made: list[float] = []

    def counted() -> dict[str, Any]:
        made.append(clocks["monotonic"])
        clocks["thread_time"] += 0.02  # what a making costs
        return {}

    site = Site(write_large_run(tmp_path / "run", updates=5), counted)

    def made_every(share: float, viewers: int, seconds: float = 60.0) -> list[float]:
        """How long apart the data were made while so many looked and the learner had such a share of a core."""
        made.clear()
        asks = [clocks["monotonic"] + 3 * place / viewers for place in range(viewers)]
        for _ in range(round(10 * seconds)):
            clocks["monotonic"] += 0.1
            clocks["process_time"] += 0.1 * share
            for viewer, ask in enumerate(asks):
                if clocks["monotonic"] >= ask:
                    answer = site("/data.json", "")
                    assert answer is not None
                    asks[viewer] = clocks["monotonic"] + float(answer.headers[AGAIN])
        return [after - before for before, after in itertools.pairwise(made)][1:]

    assert 3 <= max(made_every(share=2.0, viewers=1)) < 5, "a learner with two cores: as often as it may"
    assert min(made_every(share=1.0, viewers=20)) > 6, "200 times what making and 20 answers cost"
    assert max(made_every(share=0.0, viewers=1)) < 12, "what a waiting learner has to say is not left to age"
    load[0] = 9.0
    assert min(made_every(share=0.1, viewers=1, seconds=300)) > 35, (
        "one that the machine starves is not starved further"
    )
    assert max(made_every(share=0.0, viewers=1, seconds=300)) < 62


def test_a_chance_level_that_cannot_be_read_is_told_as_what_is_wrong(run: Path, tmp_path: Path) -> None:
    small = write_large_run(tmp_path / "run", updates=20)
    assert data(Site(small)("/data.json", ""))["chance"] is None
    (small / "random_play.json").write_text('{"mixed_return": -81.5, "episodes": 32}')
    assert data(Site(small)("/data.json", ""))["chance"] == -81.5
    (small / "random_play.json").write_text("-81.5")
    assert "random_play.json cannot be read" in data(Site(small)("/data.json", ""))["problem"]
