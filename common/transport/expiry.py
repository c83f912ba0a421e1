"""Until when certificates hold, read from their files without a library that actors would not need otherwise."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from math import nan
from pathlib import Path

from chorus.common.errors import ConfigError

_VERSION, _UTC_TIME = 0xA0, 0x17
_END = "-----END CERTIFICATE-----"


def expiry(path: Path) -> datetime:
    """When the first of the certificates in a PEM file ends.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    try:
        pieces = path.read_text(encoding="ascii").split(_END)[:-1]
        ends = [_not_after(ssl.PEM_cert_to_DER_cert(piece[piece.index("-----BEGIN") :] + _END)) for piece in pieces]
    except (OSError, ValueError, IndexError, StopIteration) as fault:
        raise ConfigError(f"{path} holds no certificate that can be read: {fault}") from fault
    if not ends:
        raise ConfigError(f"{path} holds no certificate; give a PEM file")
    return min(ends)


def expiry_seconds(path: Path) -> float:
    """The same as seconds since 1970; NaN while the file cannot be read."""
    try:
        return expiry(path).timestamp()
    except ConfigError:
        return nan


def expired(paths: Iterator[Path]) -> list[str]:
    """What to say of those certificates that hold no more: each with its date."""
    now = datetime.now(UTC).timestamp()
    return [
        f"{path} expired on {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
        for path in paths
        if (end := expiry_seconds(path)) < now
    ]


def _not_after(der: bytes) -> datetime:
    """The end of the validity of an X.509 certificate (RFC 5280, 4.1): `Certificate`, `TBSCertificate`, `Validity`."""
    certificate = _elements(next(_elements(der))[1])
    fields = [(tag, content) for tag, content in _elements(next(certificate)[1]) if tag != _VERSION]
    _, _, _, (_, validity), *_ = fields  # serial number, signature algorithm, issuer, validity
    _, (tag, end) = _elements(validity)
    text = end.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The DER elements that follow one another in `der`: tag and content of each."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        yield tag, der[at : at + length]
        at += length
