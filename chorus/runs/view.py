"""`chorus view RUN`: the page that a learner serves, of a run that has ended or whose learner is elsewhere."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry

from chorus.common.monitoring.web import Web
from chorus.common.page.run_story import read_settings
from chorus.common.page.site import Site
from chorus.common.transport.credentials import NOTHING


def view(run: Path, host: str, port: int) -> int:
    """Serve the page until Ctrl-C or SIGTERM; both are success.

    Raises:
        ConfigError: the folder holds no run, or the address is beyond this machine: the page has no password.
        OSError: the address cannot be had.
    """
    read_settings(run)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    web = Web(host, port, CollectorRegistry(), lambda: "", NOTHING, Site(run))
    try:
        print(f"page: {web.address} (Ctrl-C ends it)", flush=True)
        ended.wait()
    finally:
        web.close()
    return 0
