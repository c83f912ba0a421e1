"""How many messages a caller may send: so many a second, with a reserve for bursts."""

from __future__ import annotations


class TokenBucket:
    """A token bucket: it fills at a steady rate, and every message takes a token. `now` is in the caller's seconds."""

    def __init__(self, rate: float, reserve: float, now: float) -> None:
        """`rate` tokens are added each second, up to `reserve`; the bucket is full at first."""
        self._rate = rate
        self._reserve = reserve
        self._left = reserve
        self._filled = now

    def spend(self, now: float) -> bool:
        """Take one token; False if there is none."""
        self._left = min(self._reserve, self._left + self._rate * (now - self._filled))
        self._filled = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
