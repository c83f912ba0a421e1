"""What a certificate says its holder is: a URI among its alternative names, `urn:chorus:actor` and the like.

A certificate that names a role may do what that role does and no more. One of an authority of the user's own that names
none is judged by its extended key usage and its host names alone, as TLS has it.
"""

from __future__ import annotations

from collections.abc import Iterable

ACTOR, LEARNER, METRICS = ROLES = ("actor", "learner", "metrics")
PREFIX = "urn:chorus:"


def role_uri(role: str) -> str:
    """The alternative name of a certificate for `role`."""
    return f"{PREFIX}{role}"


def roles(names: Iterable[bytes]) -> frozenset[str]:
    """The roles among a certificate's alternative names."""
    read = (name.decode("ascii", "replace") for name in names)
    return frozenset(name.removeprefix(PREFIX) for name in read if name.startswith(PREFIX))


def why_not_play(names: Iterable[bytes], here: bool) -> str:
    """Why the holder of a certificate with these alternative names may not play; empty if it may.

    A learner's own actors show the learner's certificate, but only from the learner's machine (`here`).
    """
    named = roles(names)
    if not named or ACTOR in named or (here and LEARNER in named):
        return ""
    return (
        f"this is the certificate of a {' and a '.join(sorted(named))}, and only an actor's may play"
        f" (it would name {role_uri(ACTOR)}; `chorus certs` makes one)"
    )
