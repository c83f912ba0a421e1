"""Which environments a process that is told what to play may import: what Chorus itself knows, and what was allowed.

A spec string may name any function of any module, and so may the adapters' targets. On the machine of the person who
wrote it that is as it should be; an actor gets it from elsewhere. So it plays, unasked, only the families that the
adapters know (`known.py`) with plain settings; all else only if its own command line allows it. Names are judged as
they would be imported, and nothing is imported to judge them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from chorus.common.environments.address import Address, parse
from chorus.common.environments.known import is_known
from chorus.common.environments.registry import is_ours
from chorus.common.errors import Refused

BYTES_ALLOWED = 2**30
"""The most that one episode of an environment may take by its settings, before anything is made."""

_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_TARGET = re.compile(r"[A-Za-z0-9_]+([./:-][A-Za-z0-9_]+)*")
_WORD = re.compile(r"[A-Za-z0-9_-]*")
_WORDS_OF_KEY = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_CODE_OR_FILE = re.compile(
    r"(.*(path|module|wrapper|import)|files?|filename|folders?|dirs?|directory|entry|entrypoint|class|classname|roms?|ur[il])s?"
)
_NO_SIZE = frozenset({"seed", "reward", "penalty", "cost", "bonus", "coefficient"})
"""Last words of settings that count nothing, so that a large number asks for no memory."""


def permit(spec: str, allowed: Iterable[str]) -> None:
    """See that a spec string is one that Chorus knows, or matches one of the patterns (`package.module:factory`,
    `pettingzoo:NAME*`, with * and ?), and that its settings ask for no absurd amount of memory.

    Raises:
        Refused: it is neither, or it would take more than `BYTES_ALLOWED`.
        EnvironmentFault: it is no spec string.
    """
    address = parse(spec)
    name = f"{address.kind}:{address.target}" if address.target else address.kind
    if not any(_matches(name, address, pattern) for pattern in allowed):
        _refuse_unknown(address, name)
    _bound(address)


def permit_script(script: str, allowed: Iterable[str]) -> None:
    """See that a program that is to play for opponents, `module:factory`, matches one of the patterns: Chorus brings
    none along.

    Raises:
        Refused: it does not.
    """
    address = parse(script)
    if not any(_matches(script, address, pattern) for pattern in allowed):
        raise Refused(
            f"the learner asks for the opponent scripted:{script!r}, which this actor may not import; if you trust it,"
            f" start the actor with --allow-env {script!r} (or set CHORUS_ALLOW_ENV)"
        )


def _refuse_unknown(address: Address, name: str) -> None:
    """See that Chorus knows the name, and that no setting names code or a file."""
    remedy = f"; if you trust it, start the actor with --allow-env {name!r} (or set CHORUS_ALLOW_ENV)"
    if not _importable(address):
        raise Refused(f"the learner asks for the environment {name!r}, which is no name that can be imported")
    if not is_ours(address) or not is_known(address):
        raise Refused(f"the learner asks for the environment {name!r}, which this actor may not import{remedy}")
    for key, value in address.settings.items():
        if isinstance(value, str) and (_names_code_or_file(key) or not _WORD.fullmatch(value)):
            raise Refused(
                f"the learner asks for the environment {name!r} with {key}={value!r}, which may name a file or a"
                f" module of this actor's machine{remedy}"
            )


def _words(key: str) -> list[str]:
    """The words of a setting's name, in small letters: `auto_romPath` has `auto`, `rom` and `path`."""
    return [word.lower() for word in _WORDS_OF_KEY.findall(key)]


def _names_code_or_file(key: str) -> bool:
    """Whether a setting of this name may be taken for the name of code or of a file: judged by whole words, so that
    `from_start` is no ROM."""
    return any(_CODE_OR_FILE.fullmatch(word) for word in _words(key))


def _importable(address: Address) -> bool:
    """Whether the parts are plain ASCII names: nothing relative, escaped, blank or merely looking alike."""
    target = _TARGET if is_ours(address) else _DOTTED
    return bool(_DOTTED.fullmatch(address.kind)) and (not address.target or bool(target.fullmatch(address.target)))


def _matches(name: str, address: Address, pattern: str) -> bool:
    """Whether a pattern allows the name. A wildcard never reaches through a module to what that imports
    (`games:os.system`)."""
    if not _importable(address):
        return False
    if not is_ours(address) and "." in address.target:
        return name == pattern
    return fnmatchcase(name, pattern)


def _bound(address: Address) -> None:
    """See that one episode fits into memory, counting four bytes for every agent, step and what each agent sees of each
    other one. Of an adapted environment only names and numbers are known, so this is an estimate: of the numbers that
    can be sizes, the two greatest are taken to multiply, and each alone to count things of 64 bytes."""
    counts = {
        key: _magnitude(value)
        for key, value in address.settings.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and not _NO_SIZE.intersection(_words(key)[-1:])
    }
    if address.kind == "spread":
        agents, steps = max(1.0, counts.get("agents", 3)), max(1.0, counts.get("steps", 25))
        wanted = 4 * agents * (4 * agents) * steps
    else:
        second, greatest = sorted([*counts.values(), 1.0, 1.0])[-2:]
        wanted = max(4 * second * greatest, 64 * greatest)
    if wanted > BYTES_ALLOWED:
        largest = sorted(counts, key=lambda key: -counts[key])[:2]
        raise Refused(
            f"the environment {address.spec[:200]!r} asks by its settings for about {wanted:.1e} bytes an episode, more"
            f" than the {BYTES_ALLOWED} that an actor gives; make {' or '.join(largest)} smaller"
        )


def _magnitude(value: float) -> float:
    """How much a number asks for; what is no number, or is beyond all numbers, asks for everything."""
    try:
        size = abs(float(value))
    except OverflowError:
        return math.inf
    return math.inf if math.isnan(size) else size
