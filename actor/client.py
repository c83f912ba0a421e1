"""The actor's shell: opens one stream to the learner after another until the run is complete (`session.py` is one).

Nothing outlives a stream but the environment, which is kept when the learner comes back with the same run.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, field

import grpc

from chorus.actor.places import Places
from chorus.actor.prepared import Prepared
from chorus.actor.session import Session
from chorus.actor.waiting import Waiting
from chorus.common.environments.permitted import permit, permit_script
from chorus.common.errors import MalformedData, Refused
from chorus.common.monitoring.metrics import ActorMetrics
from chorus.common.policy.opponents import scripts
from chorus.common.process import arithmetic
from chorus.common.process.breadcrumb import Breadcrumb
from chorus.common.settings import config as configuration
from chorus.common.transport import channel
from chorus.common.transport.credentials import NOTHING, Credentials

log = logging.getLogger("chorus.actor")

BACKOFF_SECONDS = (0.1, 5.0)
ILL_SECONDS = 60.0
FINAL = (
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Statuses that trying again would not change."""


class OtherArithmetic(Exception):
    """The run wants another arithmetic than this process has; it must be started anew with that."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.mode = mode


@dataclass
class Actor:
    """One actor process.

    Attributes:
        address: HOST:PORT of the learner; several with commas between where it has several processes.
        name: its id.
        arithmetic: the mode that this process was started with.
        metrics: what it exports.
        credentials: what it shows to the learner, and asks of it.
        allowed: patterns of the environments of one's own that it may import.
        only_audits: take nothing but second runs of what others played.
        breadcrumb: where it notes the task that it is at.
        stopping: set from a signal handler to make it give its leases back and return.
        patience: seconds that the run lets a task stand still.
    """

    address: str
    name: str
    arithmetic: str
    metrics: ActorMetrics
    credentials: Credentials = NOTHING
    allowed: tuple[str, ...] = ()
    only_audits: bool = False
    breadcrumb: Breadcrumb = field(default_factory=Breadcrumb)
    stopping: threading.Event = field(default_factory=threading.Event)
    patience: float = ILL_SECONDS
    _prepared: tuple[bytes, Prepared] | None = None
    _moved: float = field(default_factory=time.monotonic)
    _connected: bool = False
    _joined_at: float = 0.0
    _sent_on: bool = False

    def __post_init__(self) -> None:
        self.places = Places(self.address, self.name)

    def run(self) -> None:
        """Play until the run is complete or `stopping` is set; reconnect whenever the stream breaks.

        Raises:
            Refused: the learner will not have this actor.
            OtherArithmetic: see there.
        """
        attempt = 0
        waiting = Waiting(self.address)
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                if self._session():
                    return
            except grpc.RpcError as fault:
                code, details = fault.code(), fault.details()
                if code in FINAL:
                    raise Refused(f"the learner at {self.address} refused this actor: {details}") from fault
                tls = self.credentials.calls_tls
                expired = self.credentials.expired()
                self.metrics.expired.inc(bool(expired))
                details = "; ".join(filter(None, (expired, details)))
                log.warning("stream lost", extra={"code": code.name, "details": details, "tls": tls})
                waiting.failed(details or code.name, time.monotonic(), self._ever_since(began))
            except MalformedData as fault:
                log.error("the learner broke the contract", extra={"fault": str(fault)})
            self.places.go_on()
            if self._sent_on:
                self._sent_on, attempt = False, 0
                continue
            attempt = 0 if time.monotonic() - began > BACKOFF_SECONDS[1] else attempt + 1
            self._wait(min(BACKOFF_SECONDS[1], BACKOFF_SECONDS[0] * 2**attempt) * random.uniform(0.5, 1.0))

    def close(self) -> None:
        """Close the environment, and end what it leaves behind."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared[1].close()

    def _ever_since(self, began: float) -> bool:
        """Whether the learner took this actor in since then."""
        return self._joined_at >= began

    def ill(self) -> str:
        """What is wrong with this actor; empty if it moves. Health is tied to progress, not to being alive."""
        still = time.monotonic() - self._moved
        return f"nothing has moved for {still:.0f} s" if still > max(self.patience, ILL_SECONDS) else ""

    def connected(self) -> bool:
        """Whether the learner has taken it in."""
        return self._connected

    def joined(self) -> None:
        """The learner has taken it in."""
        self._connected = True
        self._joined_at = time.monotonic()
        self.metrics.connected.set(1)
        self.metrics.connections.inc()

    def send_on(self) -> None:
        """Another process of the learner has more tasks waiting."""
        self._sent_on = True

    def moved(self) -> None:
        """It gets on."""
        self._moved = time.monotonic()

    def _wait(self, seconds: float) -> None:
        self.moved()
        self.stopping.wait(seconds)

    def _session(self) -> bool:
        """One stream, from welcome to end; return whether the run is complete."""
        place = self.places.here
        with channel.open_channel(place.address, self.credentials, place.name) as line:
            try:
                return Session(self, line).run()
            finally:
                self._connected = False
                self.metrics.connected.set(0)

    def prepare(self, config_bytes: bytes) -> Prepared:
        """The environment and all else that the welcome's configuration asks for; kept while it stays the same.

        Raises:
            OtherArithmetic: see there.
            Refused: this actor may not import that environment, or cannot make it.
        """
        if self._prepared is None or self._prepared[0] != config_bytes:
            config = configuration.decode(config_bytes)
            wanted = arithmetic.suited(config.arithmetic, config.environment.spec)
            if not arithmetic.serves(self.arithmetic, wanted):
                raise OtherArithmetic(wanted)
            permit(config.environment.spec, self.allowed)
            for script in scripts(config):
                permit_script(script, self.allowed)
            self.patience = config.learner.task_timeout
            self.close()
            self._prepared = (config_bytes, Prepared.of(config))
        return self._prepared[1]
