"""`chorus train`: a learner in this process, actors in processes of their own, a view, and pictures at the end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from chorus.common.errors import ChorusError
from chorus.common.process import logs
from chorus.common.settings.config import Config
from chorus.evaluation.film import film
from chorus.learner.coordinator import Progress
from chorus.learner.process import Listening, Serving, serve
from chorus.local.events import Events
from chorus.local.launcher import Launcher
from chorus.local.view import View
from chorus.runs import profile
from chorus.runs.plot import plot_curve
from chorus.runs.weights import newest_policy

log = logging.getLogger("chorus.train")

PARENT_SECONDS = 1.0


def train(config: Config, options: argparse.Namespace) -> int:
    """Train to the last update, or until Ctrl-C; both are success."""
    events = Events() if options.json else None
    try:
        return _trained(config, options, events)
    except ChorusError as fault:
        if events is not None:
            events.tell("fault", kind=type(fault).__name__, text=str(fault))
        raise


def _trained(config: Config, options: argparse.Namespace, events: Events | None) -> int:
    out: Path = options.out or default_folder(config)
    out.mkdir(parents=True, exist_ok=True)
    actors = options.actors or len(os.sched_getaffinity(0))
    listening = Listening(
        options.listen,
        0 if options.metrics_port is None and not options.no_page else options.metrics_port,
        options.metrics_host,
        options.health_port,
        options.credentials,
        page=not options.no_page,
        last_words=options.metrics_port is not None,
    )
    with (out / "log.jsonl").open("a") as log_file:
        logs.start(to=log_file)
        finished = asyncio.run(_train(config, out, actors, listening, options, log_file, events))
    if options.profile:
        profile.end(out, config.learner.workers)
    if finished and not options.no_pictures:
        _picture(config, out)
    if not finished:
        print(f"stopped; the same command with --out {out} goes on from here")
    if events is not None:
        events.tell("end", complete=finished)
    return 0


async def _train(config, out, actors, listening, options, log_file, events) -> bool:  # type: ignore[no-untyped-def]
    views: list[View | Events] = []
    launchers: list[Launcher] = []
    watches: list[asyncio.Task[None]] = []
    faults: list[str] = []

    def on_start(serving: Serving) -> None:
        def on_signal() -> None:
            for view in views:
                view.stopping()
            serving.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
        if options.parent is not None:
            watches.append(asyncio.create_task(_watch_parent(options.parent, serving.stop)))
        if events is not None:
            events.started(serving, out)
        if serving.config.tasks < actors:
            warning = (
                f"{actors} actors share {serving.config.tasks} tasks an update, so some will often wait;"
                f" raise update.tasks to {actors} or more (it changes what is learned), or use --lag 1"
            )
            if events is not None:
                events.tell("warning", text=warning)
            else:
                print(f"warning: {warning}")

        def on_fault(fault: str) -> None:
            faults.append(fault)
            serving.stop()

        if options.profile:
            profile.begin(out)
        launchers.append(Launcher(serving, actors, listening.credentials, log_file, on_fault))
        launchers[0].start()
        if serving.page:
            print(f"page:    {serving.page}", flush=True)
        views.append(events or View(f"{config.environment.spec} in {out}", config.updates, serving.resumed_at))

    def on_update(progress: Progress) -> None:
        views[0].update(progress)

    try:
        finished = await serve(config, out, listening, options.init_from, on_start, on_update)
        if faults:
            raise ChorusError(f"{faults[0]}: {out / 'log.jsonl'}")
        return finished
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for launcher in launchers:
            await launcher.stop()
        for view in views:
            view.close()


async def _watch_parent(parent: int, stop: Callable[[], None]) -> None:
    """A training that another program started must not outlive it."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_SECONDS)
    stop()


def default_folder(config: Config) -> Path:
    """`runs/ENVIRONMENT-DATE-TIME`."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", config.environment.spec).strip("-")
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _picture(config: Config, out: Path) -> None:
    policy = newest_policy(out)
    print(f"curve:   {plot_curve(out, config.environment.spec)}")
    if film(config, policy, out / "episode.gif", config.seed):
        print(f"episode: {out / 'episode.gif'}")
    else:
        print("episode: this environment has no pictures")
    print(f"weights: {out / 'final' / 'policy.safetensors'}")
