"""What agents see and do, written into the run folder, is read as it was."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.common.environments.description import decode, encode
from chorus.common.environments.interface import AgentSpec, EnvironmentSpec
from chorus.common.errors import MalformedData

SIDES = st.tuples(st.sampled_from([-inf, -1.0, 0.0]), st.sampled_from([inf, 0.5, 7.25]))


@given(sides=st.lists(SIDES, min_size=1, max_size=4), raw=st.booleans(), steps=st.none() | st.integers(1, 9))
def test_what_was_written_is_read(sides: list[tuple[float, float]], raw: bool, steps: int | None) -> None:
    """Bounds on both sides, on one, on none."""
    agents = (AgentSpec("a", (7, 6, 3), (3, 2), raw=raw), AgentSpec("b", (4,), bounds=tuple(sides)))
    spec = EnvironmentSpec("gallery", "gallery 1", agents, steps, team_reward=True)
    assert decode(encode(spec)) == spec


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"agents": [3]}', b'{"agents": [{"bounds": [1]}]}', b'"text"'])
def test_what_is_no_description_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedData, match="the description of an environment cannot be read"):
        decode(data)
