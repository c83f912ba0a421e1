"""Real processes for the tests of this folder, ended whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.processes import Chorus, opened


@pytest.fixture
def chorus(tmp_path: Path) -> Iterator[Chorus]:
    with opened(tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chorus]:
    """For runs that several tests of a file look at."""
    with opened(tmp_path_factory.mktemp("runs")) as started:
        yield started
