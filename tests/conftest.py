"""Every test process does its arithmetic as Chorus's own processes do; set before anything imports NumPy."""

from chorus.common.process import arithmetic

arithmetic.pin()

from collections.abc import Iterator  # noqa: E402 (nothing may come before the line above)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# No test is timed: a machine may be busy. All else is Hypothesis's own, so that with CI set examples are the same ones.
settings.register_profile("chorus", settings.default, deadline=None)
settings.load_profile("chorus")


@pytest.fixture(autouse=True)
def same_arithmetic() -> Iterator[None]:
    """No test leaves another arithmetic to those after it, whose bits would differ."""
    before = arithmetic.mode()
    yield
    assert arithmetic.mode() == before
