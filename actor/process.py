"""An actor as a process: signals, metrics, the parent's life, and starting anew in another arithmetic."""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from types import FrameType

from chorus.actor.client import Actor, OtherArithmetic
from chorus.common.monitoring import metrics, timeline
from chorus.common.monitoring.health import Health
from chorus.common.monitoring.web import Web
from chorus.common.process import arithmetic, logs, program
from chorus.common.process.allocator import keep_freed_memory
from chorus.common.process.breadcrumb import Breadcrumb
from chorus.common.process.fingerprint import chorus_version
from chorus.common.transport.credentials import NOTHING, Credentials

log = logging.getLogger("chorus.actor")


@dataclass(frozen=True)
class Settings:
    """What an actor process is told on its command line; all else comes from the learner.

    Attributes:
        learner: HOST:PORT.
        name: its id; None for one that nobody else has.
        metrics_port: of `/metrics` and `/healthz`; None for none.
        metrics_host: that it listens at.
        health_port: of a health service in clear text beside the metrics; None for none.
        credentials: what it shows to the learner, and asks of it.
        allowed: patterns of the environments of the user's own that it may import.
        only_audits: take nothing but second runs of what others played.
        parent: end when this is no longer the parent process.
        breadcrumb: an open file in which it notes the task that it is at; None for none.
    """

    learner: str
    name: str | None = None
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    health_port: int | None = None
    credentials: Credentials = NOTHING
    allowed: tuple[str, ...] = ()
    only_audits: bool = False
    parent: int | None = None
    breadcrumb: int | None = None


TOLD_TO_STOP = 128 + signal.SIGTERM
"""The exit code of an actor that was told to stop and did, if its parent looks: as a shell has it."""


def run(settings: Settings) -> int:
    """Play for the learner until its run is complete or a signal comes; return the exit code.

    Raises:
        Refused: the learner will not have this actor, or this actor will not play that environment.
    """
    keep_freed_memory()
    faulthandler.enable()  # where an environment's C code ended this process
    registry = metrics.registry()
    exported = metrics.ActorMetrics(registry)
    exported.build.info({"version": chorus_version()})
    settings.credentials.export_expiry(exported.expiry)
    name = settings.name or default_name()
    logs.bind(actor=name)
    timeline.start(name)
    actor = Actor(
        settings.learner,
        name,
        arithmetic.mode(),
        exported,
        settings.credentials,
        settings.allowed,
        settings.only_audits,
        Breadcrumb(settings.breadcrumb),
    )

    def stop(_: int, __: FrameType | None) -> None:
        actor.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN if settings.parent is not None else stop)
    web, health = None, None
    if settings.parent is not None:
        threading.Thread(target=_watch_parent, args=(actor, settings.parent), name="parent", daemon=True).start()
    try:
        if settings.metrics_port is not None:
            web = Web(settings.metrics_host, settings.metrics_port, registry, actor.ill, settings.credentials)
            log.info("metrics", extra={"metrics_port": web.port})
        if settings.health_port is not None:
            health = Health(settings.metrics_host, settings.health_port, actor.ill, actor.connected)
            log.info("health", extra={"health_port": health.port})
        actor.run()
    except OtherArithmetic as other:
        log.info("starting anew", extra={"arithmetic": other.mode})
        os.execve(sys.executable, program.command(*sys.argv[1:]), arithmetic.environment_for(other.mode))
    finally:
        actor.close()
        timeline.stop()
        for beside in (web, health):
            if beside is not None:
                beside.close()
    return TOLD_TO_STOP if settings.parent is not None and actor.stopping.is_set() else 0


def _watch_parent(actor: Actor, parent: int) -> None:
    """An actor that a launcher started must not outlive it."""
    while not actor.stopping.wait(1.0):
        if os.getppid() != parent:
            actor.stopping.set()


def default_name() -> str:
    """An id that no other actor has: host, process, and a random part."""
    host = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in os.uname().nodename)
    return f"{host[:40]}-{os.getpid()}-{random.SystemRandom().getrandbits(16):04x}"
