"""`chorus learner`: the learner alone, ended cleanly by SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

from chorus.common.process import logs
from chorus.common.settings.config import Config
from chorus.learner.group.processes import find_group
from chorus.learner.process import Listening, Serving, serve
from chorus.local.launcher import Launcher
from chorus.local.waiting import tell_why

log = logging.getLogger("chorus.learner")


def learn(config: Config, options: argparse.Namespace) -> int:
    """Run until the last update or a signal; both are success."""
    logs.start()
    group = find_group(config)
    listening = Listening(
        options.listen,
        options.metrics_port,
        options.metrics_host,
        options.health_port,
        options.credentials,
        page=not options.no_page,
    )

    async def main() -> None:
        launchers: list[Launcher] = []
        waiting: list[asyncio.Task[None]] = []

        def on_start(serving: Serving) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.stop)
            launchers.append(Launcher(serving, 0, listening.credentials, sys.stderr, log.error, sys.stdout))
            launchers[0].start()
            if serving.finished:
                log.info(
                    "this run is finished", extra={"updates": serving.config.updates, "for_more": "raise --updates"}
                )
                return
            waiting.append(asyncio.create_task(tell_why(serving, tell)))

        def tell(why: str) -> None:
            log.info("waiting", extra={"why": why})

        try:
            await serve(config, options.out, listening, options.init_from, on_start, prints=sys.stdout, group=group)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            for launcher in launchers:
                await launcher.stop()

    try:
        asyncio.run(main())
    finally:
        group.close()
    return 0
