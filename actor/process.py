"""An actor as a process: signals, metrics, the parent's life, and starting anew in another arithmetic."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from types import FrameType

from prometheus_client import start_http_server

from actor.client import Actor, OtherArithmetic, default_name
from common import metrics
from common.arithmetic import MODE, environment_for
from common.fingerprint import chorus_version

log = logging.getLogger("chorus.actor")


def run(address: str, name: str | None, metrics_port: int | None, metrics_host: str, parent: int | None) -> int:
    """Play for the learner at HOST:PORT until its run is complete or a signal comes; return the exit code.

    Raises:
        Refused: the learner will not have this actor.
    """
    registry = metrics.registry()
    exported = metrics.ActorMetrics(registry)
    exported.build.info({"version": chorus_version()})
    arithmetic = os.environ.get(MODE, "portable")
    actor = Actor(address, name or default_name(), arithmetic, exported)

    def stop(_: int, __: FrameType | None) -> None:
        actor.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN if parent is not None else stop)
    web = None if metrics_port is None else start_http_server(metrics_port, metrics_host, registry)
    if parent is not None:
        threading.Thread(target=_watch_parent, args=(actor, parent), name="parent", daemon=True).start()
    try:
        actor.run()
    except OtherArithmetic as other:
        log.info("starting anew", extra={"arithmetic": other.mode})
        os.execve(sys.executable, [sys.executable, "-m", "chorus", *sys.argv[1:]], environment_for(other.mode))
    finally:
        if web is not None:
            web[0].shutdown()
            web[0].server_close()
            web[1].join()
    return 0


def _watch_parent(actor: Actor, parent: int) -> None:
    """An actor that a launcher started must not outlive it."""
    while not actor.stopping.wait(1.0):
        if os.getppid() != parent:
            actor.stopping.set()
