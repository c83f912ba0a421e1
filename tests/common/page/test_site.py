"""What the page is sent: small however large the run, made once for all who look, never by chance anything else."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from chorus.common.monitoring.web import Answer
from chorus.common.page.site import Site
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


def test_a_chance_level_that_cannot_be_read_is_told_as_what_is_wrong(run: Path, tmp_path: Path) -> None:
    small = write_large_run(tmp_path / "run", updates=20)
    assert data(Site(small)("/data.json", ""))["chance"] is None
    (small / "random_play.json").write_text('{"mixed_return": -81.5, "episodes": 32}')
    assert data(Site(small)("/data.json", ""))["chance"] == -81.5
    (small / "random_play.json").write_text("-81.5")
    assert "random_play.json cannot be read" in data(Site(small)("/data.json", ""))["problem"]
