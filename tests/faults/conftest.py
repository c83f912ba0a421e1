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
def peace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """The final weights of a run that nothing happened to."""
    with opened(tmp_path_factory.mktemp("peace")) as started:
        run = started.train("peace", "--updates", "40", "--actors", "1")
        yield (run / "final" / "policy.safetensors").read_bytes()
