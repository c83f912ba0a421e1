"""Every test process does its arithmetic as Chorus's own processes do; set before anything imports NumPy."""

from chorus.common.process import arithmetic

arithmetic.pin()

import os  # noqa: E402 (nothing may come before the line above)
from collections.abc import Iterator  # noqa: E402
from unittest import mock  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# No test is timed: a machine may be busy. All else is Hypothesis's own, so that with CI set examples are the same ones.
settings.register_profile("chorus", settings.default, deadline=None)
settings.load_profile("chorus")


@pytest.fixture(autouse=True)
def environment_of_its_own() -> Iterator[None]:
    """What a test sets in the environment ends with it: a command that it runs here pins the arithmetic of its run, and
    the bits of tests after it would differ."""
    with mock.patch.dict(os.environ):
        yield
