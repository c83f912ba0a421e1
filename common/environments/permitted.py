"""Which environments a process that is told what to play may import: the built-in adapters, and what was allowed.

A spec string may name any function of any module. On the machine of the person who wrote it that is as it should be; an
actor gets it from elsewhere, so it plays a factory of someone's own only if its own command line allows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from chorus.common.environments.address import parse
from chorus.common.environments.registry import is_ours
from chorus.common.errors import Refused


def permit(spec: str, allowed: Iterable[str]) -> None:
    """See that a spec string is one of ours, or matches one of the patterns (`package.module:factory`, with * and ?).

    Raises:
        Refused: it is neither.
        EnvironmentFault: it is no spec string.
    """
    address = parse(spec)
    name = f"{address.kind}:{address.target}" if address.target else address.kind
    if not is_ours(address) and not any(fnmatchcase(name, pattern) for pattern in allowed):
        raise Refused(
            f"the learner asks for the environment {name!r}, which this actor may not import; if you trust it, start"
            f" the actor with --allow-env {name!r} (or set CHORUS_ALLOW_ENV)"
        )
