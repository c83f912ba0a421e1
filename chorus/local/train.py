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
from chorus.evaluation.evaluate import newest_policy
from chorus.evaluation.film import film
from chorus.learner.coordinator import Progress
from chorus.learner.process import Listening, Serving, serve
from chorus.local.actor_log import ActorLog
from chorus.local.launcher import Launcher
from chorus.local.view import View
from chorus.runs import profile
from chorus.runs.plot import plot_curve

log = logging.getLogger("chorus.train")

WAITING_SECONDS = 30.0


def train(config: Config, options: argparse.Namespace) -> int:
    """Train to the last update, or until Ctrl-C; both are success."""
    out: Path = options.out or default_folder(config)
    out.mkdir(parents=True, exist_ok=True)
    actors = options.actors or len(os.sched_getaffinity(0))
    listening = Listening(
        options.listen, options.metrics_port, options.metrics_host, options.health_port, options.credentials
    )
    with (out / "log.jsonl").open("a") as log_file, (out / "prints.log").open("a") as prints:
        logs.start(to=log_file)
        finished = asyncio.run(_train(config, out, actors, listening, options, log_file, prints))
    if options.profile:
        profile.end(out, config.learner.workers)
    if not finished:
        print(f"stopped; the same command with --out {out} goes on from here")
        return 0
    if not options.no_pictures:
        _picture(config, out)
    return 0


async def _train(config, out, actors, listening, options, log_file, prints) -> bool:  # type: ignore[no-untyped-def]
    views: list[View] = []
    launchers: list[Launcher] = []
    faults: list[str] = []
    waiting: list[asyncio.Task[None]] = []
    actor_log = ActorLog(Path(log_file.name), Path(prints.name))
    began = actor_log.mark()

    def tell(what: str) -> None:
        for view in views:
            view.note(what)

    def on_start(serving: Serving) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.stop)
        if serving.config.tasks < actors:
            print(
                f"warning: {actors} actors share {serving.config.tasks} tasks an update, so some will often wait;"
                f" raise update.tasks to {actors} or more (it changes what is learned), or use --lag 1"
            )

        def on_fault(fault: str) -> None:
            faults.append(fault)
            serving.stop()

        if options.profile:
            profile.begin(out)
        views.append(View(f"{config.environment.spec} in {out}", config.updates, serving.resumed_at))
        credentials = listening.credentials
        launcher = Launcher(serving, actors, credentials, log_file, on_fault, prints, actor_log, tell)
        launchers.append(launcher)
        launcher.start()
        waiting.append(asyncio.create_task(_tell_why_waiting(serving, launcher, tell)))

    def on_update(progress: Progress) -> None:
        views[0].update(progress)

    try:
        finished = await serve(config, out, listening, options.init_from, on_start, on_update, prints)
        if faults:
            raise ChorusError(f"{faults[0]}\nmore is in {out / 'log.jsonl'} and {out / 'prints.log'}")
        return finished
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for launcher in launchers:
            await launcher.stop()
        for left in actor_log.left_behind(began):
            tell(left)
        for view in views:
            view.close()


async def _tell_why_waiting(serving: Serving, launcher: Launcher, tell: Callable[[str], None]) -> None:
    """Whoever waits for the first update longer than half a minute is told why."""
    waited = 0.0
    while not serving.begun():
        await asyncio.sleep(WAITING_SECONDS)
        waited += WAITING_SECONDS
        if not serving.begun():
            doing = launcher.doing() or "the actors have said nothing yet"
            tell(f"waiting for the first update for {waited:.0f} s; {doing}")


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
