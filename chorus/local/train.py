"""`chorus train`: a learner in this process, actors in processes of their own, a view, and pictures at the end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from dataclasses import dataclass
from pathlib import Path

from chorus.common.errors import ChorusError
from chorus.common.process import logs
from chorus.common.settings.config import Config
from chorus.evaluation import random_play
from chorus.evaluation.evaluate import newest_policy
from chorus.evaluation.film import film
from chorus.evaluation.random_play import RandomPlay
from chorus.learner.coordinator import Progress
from chorus.learner.process import Listening, Serving, serve
from chorus.learner.storage.run_folder import read_config
from chorus.local.effort import Effort, Meter
from chorus.local.greeting import actor_count
from chorus.local.launcher import Launcher
from chorus.local.summary import finished_already, summarise, where
from chorus.local.view import View
from chorus.local.waiting import tell_why
from chorus.runs import profile
from chorus.runs.plot import plot_curve

log = logging.getLogger("chorus.train")


def train(config: Config, options: argparse.Namespace) -> int:
    """Train to the last update, or until Ctrl-C; both are success."""
    out: Path = options.out
    if not options.resuming:
        out.mkdir(parents=True, exist_ok=True)
    listening = Listening(
        options.listen, options.metrics_port, options.metrics_host, options.health_port, options.credentials
    )
    with (out / "log.jsonl").open("a", encoding="utf-8") as log_file:
        logs.start(to=log_file)
        ending = asyncio.run(_train(config, out, listening, options, log_file))
    if options.profile and not ending.before:
        profile.end(out, config.learner.workers)
    if ending.before:
        print(finished_already(out, config.updates))
        print("\n".join([*summarise(out, config.updates, random_play.read(out), None), *where(out)]))
        return 0
    if not ending.finished:
        if ending.updates:
            print("\n".join(summarise(out, config.updates, None, ending.effort)))
        print(f"stopped at update {ending.updates} of {config.updates}; chorus resume {out} goes on from here")
        return 0
    chance = None if options.no_pictures else _picture(out)
    print("\n".join([*summarise(out, config.updates, chance, ending.effort), *where(out)]))
    return 0


@dataclass(frozen=True)
class _Ending:
    """How training ended: complete or not, or complete before it began; after how many updates; what it took."""

    finished: bool
    before: bool
    updates: int
    effort: Effort


async def _train(config, out, listening, options, log_file) -> _Ending:  # type: ignore[no-untyped-def]
    actors = actor_count(options)
    started: list[Serving] = []
    views: list[View] = []
    launchers: list[Launcher] = []
    faults: list[str] = []
    waiting: list[asyncio.Task[None]] = []
    meter = Meter()

    def on_start(serving: Serving) -> None:
        started.append(serving)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.stop)
        if serving.finished:
            return
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
        launchers.append(Launcher(serving, actors, listening.credentials, log_file, on_fault))
        launchers[0].start()
        view = View(f"{config.environment.spec} in {out}", config.updates, serving.resumed_at)
        views.append(view)
        waiting.append(asyncio.create_task(tell_why(serving, view.wait, launchers[0].trouble)))

    def on_update(progress: Progress) -> None:
        views[0].update(progress)

    try:
        finished = await serve(config, out, listening, options.init_from, on_start, on_update, options.resuming)
        if faults:
            raise ChorusError(f"{faults[0]}: {out / 'log.jsonl'}")
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for launcher in launchers:
            await launcher.stop()
        for view in views:
            view.close()
    return _Ending(finished, started[0].finished, started[0].status().update, meter.read())


def _picture(out: Path) -> RandomPlay:
    """Draw and film; return what chance reaches, which the curve is held against."""
    policy, config = newest_policy(out), read_config(out)
    chance = random_play.measure(out, config, policy)
    plot_curve(out, config.environment.spec, chance.mixed_return)
    if not film(config, policy, out / "episode.gif", config.seed):
        print("this environment has no pictures, so there is no episode.gif")
    return chance
