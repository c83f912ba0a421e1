"""`chorus train`: a learner in this process, actors in processes of their own, a view, and pictures at the end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chorus.common.errors import ChorusError, GroupFault
from chorus.common.process import logs
from chorus.common.settings.config import Config
from chorus.evaluation import random_play
from chorus.evaluation.film import film
from chorus.evaluation.random_play import RandomPlay
from chorus.learner.bookkeeper import Progress
from chorus.learner.process import Listening, Serving, serve
from chorus.learner.storage.checkpoint import checkpoint_files
from chorus.learner.storage.run_folder import read_config
from chorus.local.actor_log import ActorLog
from chorus.local.companions import Companions
from chorus.local.cpu_usage import CpuMeter, CpuUsage
from chorus.local.events import Events
from chorus.local.greeting import actor_count, plan
from chorus.local.launcher import Launcher
from chorus.local.summary import finished_already, summarise, where
from chorus.local.view import View
from chorus.local.waiting import tell_why
from chorus.runs import profile
from chorus.runs.weights import newest_policy

log = logging.getLogger("chorus.train")

PARENT_SECONDS = 1.0
FUTILE_STARTS = 3
"""So often in a row a learner of several processes is started again without getting on."""


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
    out: Path = options.out
    if not options.resuming:
        out.mkdir(parents=True, exist_ok=True)
    listening = Listening(
        options.listen,
        0 if options.metrics_port is None and not options.no_page else options.metrics_port,
        options.metrics_host,
        options.health_port,
        options.credentials,
        page=not options.no_page,
        last_words=options.metrics_port is not None,
    )
    log_path, prints_path = out / "log.jsonl", out / "prints.log"
    with log_path.open("a", encoding="utf-8") as log_file, prints_path.open("a", encoding="utf-8") as prints:
        logs.start(to=log_file)
        ending = _with_companions(config, out, listening, options, log_file, prints, events)
    if options.profile and not ending.before:
        profile.end(out, config.learner.workers)
    _conclude(out, ending, not options.no_pictures)
    if events is not None:
        events.tell("end", complete=ending.finished)
    return 0


def _with_companions(config, out, listening, options, log_file, prints, events) -> _Ending:  # type: ignore[no-untyped-def]
    """Train beside the learner's other processes; all of them are started again when one is lost."""
    futile = 0
    while True:
        before = checkpoint_files(out / "checkpoints")
        try:
            with Companions(options.learners, config, out, listening, log_file, prints) as companions:
                group = companions.group
                return asyncio.run(_train(config, out, listening, options, log_file, prints, events, group))
        except GroupFault as fault:
            futile = futile + 1 if checkpoint_files(out / "checkpoints") == before else 0
            if futile == FUTILE_STARTS:
                raise
            log.warning("a process of the learner is gone, starting all again", extra={"fault": str(fault)})


@dataclass(frozen=True)
class _Ending:
    """How training ended: complete or not, or complete before it began; after how many of its updates; what it took."""

    finished: bool
    before: bool
    update: int
    updates: int
    usage: CpuUsage


def _conclude(out: Path, ending: _Ending, pictures: bool) -> None:
    """Draw and film a complete run, and say what was reached, where it is, and what to type next."""
    if ending.before:
        print(finished_already(out, ending.updates))
        print("\n".join([*summarise(out, ending.updates, random_play.read(out), None), *where(out)]))
    elif not ending.finished:
        if ending.update:
            print("\n".join(summarise(out, ending.updates, None, ending.usage)))
        print(f"stopped at update {ending.update} of {ending.updates}; chorus resume {out} continues it")
    else:
        chance = _picture(out) if pictures else None
        print("\n".join([*summarise(out, ending.updates, chance, ending.usage), *where(out)]))


async def _train(config, out, listening, options, log_file, prints, events, group) -> _Ending:  # type: ignore[no-untyped-def]
    actors = actor_count(options)
    started: list[Serving] = []
    views: list[View | Events] = []
    launchers: list[Launcher] = []
    watches: list[asyncio.Task[None]] = []
    faults: list[str] = []
    meter = CpuMeter()
    actor_log = ActorLog(Path(log_file.name), Path(prints.name))
    began = actor_log.mark()

    def tell(what: str) -> None:
        for view in views:
            view.note(what)

    def on_start(serving: Serving) -> None:
        started.append(serving)

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
        if serving.finished:
            return
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
        credentials = listening.credentials
        launcher = Launcher(serving, actors, credentials, log_file, on_fault, prints, actor_log, tell)
        launchers.append(launcher)
        launcher.start()
        if events is not None:
            views.append(events)
            return
        print("\n".join(plan(serving.config, serving.environment, serving.policies)))
        if serving.page:
            print(f"page     {serving.page}", flush=True)
        view = View(f"{config.environment.spec} in {out}", serving.config.updates, serving.resumed_at)
        views.append(view)
        watches.append(asyncio.create_task(tell_why(serving, view.wait, launcher.trouble)))

    def on_update(progress: Progress) -> None:
        views[0].update(progress)

    try:
        finished = await serve(
            config, out, listening, options.init_from, on_start, on_update, options.resuming, prints, group
        )
        if faults:
            raise ChorusError(f"{faults[0]}\nmore is in {out / 'log.jsonl'} and {out / 'prints.log'}")
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for launcher in launchers:
            await launcher.stop()
        for left in actor_log.left_behind(began):
            tell(left)
        for view in views:
            view.close()
    serving = started[0]
    return _Ending(finished, serving.finished, serving.status().update, serving.config.updates, meter.read())


async def _watch_parent(parent: int, stop: Callable[[], None]) -> None:
    """A training that another program started must not outlive it."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_SECONDS)
    stop()


def _picture(out: Path) -> RandomPlay:
    """Draw and film; return what chance reaches, which the curve is held against."""
    policy, config = newest_policy(out), read_config(out)
    chance = random_play.measure(out, config, policy)
    from chorus.runs.plot import plot_curve  # matplotlib takes a second to load: only a run that is drawn waits for it

    plot_curve(out, config.environment.spec, chance.mixed_return)
    if not film(config, policy, out / "episode.gif", config.seed):
        print("this environment has no pictures, so there is no episode.gif")
    return chance
