"""An actor that waits for its learner longer than half a minute says why, with what would help."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

log = logging.getLogger("chorus.actor")

PATIENCE_SECONDS = 30.0
PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


@dataclass
class Waiting:
    """How long nobody has answered at an address. `environment` is that of the process."""

    address: str
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _since: float | None = None
    _told: float | None = None

    def failed(self, error: str, now: float, was_taken_in: bool) -> None:
        """A try has failed; `was_taken_in` says that the learner had answered before it did."""
        if was_taken_in or self._since is None:
            self._since = self._told = now
            return
        if self._told is None or now - self._told < PATIENCE_SECONDS:
            return
        self._told = now
        named = [name for name in PROXIES if self.environment.get(name)]
        aside = f"; {', '.join(named)} is set, but followed only with --proxy" if named else ""
        log.warning(
            "waiting for the learner",
            extra={"why": f"no answer from {self.address} for {now - self._since:.0f} s: {error}{aside}"},
        )
