"""`chorus learner`: the learner alone, ended cleanly by SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal

from common import logs
from common.config import Config
from learner.process import Listening, Serving, serve


def learn(config: Config, options: argparse.Namespace) -> int:
    """Run until the last update or a signal; both are success."""
    logs.start()
    listening = Listening(options.listen, options.metrics_port, options.metrics_host, options.credentials)

    async def main() -> None:
        def on_start(serving: Serving) -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, serving.stop)

        await serve(config, options.out, listening, options.init_from, on_start)

    asyncio.run(main())
    return 0
