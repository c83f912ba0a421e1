"""A certificate that names a role may do what that role does and no more."""

import pytest

from chorus.common.transport.role import why_not_play


@pytest.mark.parametrize(
    ("names", "here", "may"),
    [
        ([b"urn:chorus:actor"], False, True),
        ([b"localhost", b"urn:chorus:actor"], False, True),
        ([b"urn:chorus:learner", b"learner"], True, True),  # the learner's own actors
        ([b"urn:chorus:learner", b"learner"], False, False),
        ([b"urn:chorus:metrics"], True, False),
        ([b"urn:chorus:"], True, False),
        ([b"urn:chorus:actors"], True, False),
        ([b"spiffe://example/actor"], False, True),  # an authority of one's own that names no role
        ([b"\xff"], False, True),
        ([], False, True),  # no TLS, or a certificate without names
    ],
)
def test_who_may_play(names: list[bytes], here: bool, may: bool) -> None:
    assert (why_not_play(names, here) == "") is may
