"""A fleet of containers, taken down whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.fleet import Fleet, clean_checkout, told


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    started = Fleet(clean_checkout(tmp_path))
    try:
        yield started
    finally:
        (tmp_path / "fleet.log").write_text(started.compose("logs", "--no-color"))
        told(f"taking everything down; what all of it said is in {tmp_path / 'fleet.log'}")
        started.compose("down", "-v", "--timeout", "5")
