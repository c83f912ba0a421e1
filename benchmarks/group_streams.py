"""Real streams to several learner processes at once: `python -m chorus.benchmarks.group_streams`, alone or by torchrun.

    python -m chorus.benchmarks.group_streams --streams 300
    torchrun --standalone --nproc-per-node 2 -m chorus.benchmarks.group_streams --streams 300

Every process is a whole learner of the group, with its share of the streams; who answers them, at once and with a
trajectory made beforehand, shares the machine with it. The first prints a line of JSON. An update has as many tasks as
there are streams, of 600 agent-steps each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chorus.common.process import arithmetic

if TYPE_CHECKING:
    from chorus.common.settings.config import Config
    from chorus.learner.group.group import Group


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="How fast a learner of several processes serves real streams.")
    parser.add_argument("--streams", type=int, default=300, help="in all")
    parser.add_argument("--updates", type=int, default=6)
    options = parser.parse_args()
    arithmetic.pin()
    figures = measure(options.streams, options.updates)
    if figures:
        print(json.dumps(figures), flush=True)


def measure(streams: int, updates: int) -> dict[str, Any]:
    """What all processes measured together; empty but for the first process."""
    from chorus.benchmarks.machine import cores
    from chorus.benchmarks.scene import Scene
    from chorus.common.settings import config as configuration
    from chorus.learner.group.processes import find_group

    settings: dict[str, Any] = {"update": {"tasks": streams}, "task": {"episodes": 8}, "updates": updates}
    scene = Scene.of(settings, "environment.spec=spread?agents=3&steps=25", "checkpoint.every=1000000")
    group = find_group(scene.config)
    settings["learner"] = {"workers": max(1, cores() // group.size)}  # as many gradient threads in all as cores
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        mine = asyncio.run(_serve(configuration.check(settings), group, Path(folder)))
    told = [json.loads(words) for words in group.gather(json.dumps(mine).encode())]
    group.close()
    if group.rank:
        return {}
    tasks = streams * (updates - 1)
    seconds = max(one["seconds"] for one in told)
    return {
        "processes": group.size,
        "streams": streams,
        "updates": updates,
        "tasks_per_second": round(tasks / seconds, 1),
        "agent_steps_per_second": round(tasks / seconds * 8 * 3 * 25),
        "processor_milliseconds_per_task": round(1e3 * sum(one["processor"] for one in told) / tasks, 2),
        "loop_microseconds_per_task": round(1e6 * sum(one["loop"] for one in told) / tasks),
        "share_in_calls": [round(one["calls"] / one["seconds"], 3) for one in told],
        "megabytes_into_sums_of_a_process_an_update": round(told[0]["sent"] / (updates - 1) / 1e6, 2),
        "tasks_answered": [one["answered"] for one in told],
    }


async def _serve(config: Config, group: Group, folder: Path) -> dict[str, float]:
    """Be a learner until the run ends: what passed from the first update to the last; how many tasks were answered."""
    from chorus.benchmarks.loopback import finish_client, start_client
    from chorus.benchmarks.scale import allow_files
    from chorus.learner.bookkeeper import Progress
    from chorus.learner.group.group import own
    from chorus.learner.process import Listening, Serving, serve

    assert config.update.tasks is not None
    streams = len(own(group, config.update.tasks))
    allow_files(4 * streams + 1_000)
    clients: list[asyncio.Task[asyncio.subprocess.Process]] = []
    stood: list[tuple[float, float, float, float, float]] = []

    def on_start(serving: Serving) -> None:
        clients.append(asyncio.create_task(start_client("play", serving.port, streams)))

    def on_update(_: Progress) -> None:
        now = time.perf_counter(), time.process_time(), time.thread_time(), group.seconds, float(group.sent)
        stood.append(now)

    await serve(config, folder, Listening(), on_start=on_start, on_update=on_update, group=group)
    report = await finish_client(await clients[0])
    passed = [end - begin for begin, end in zip(stood[0], stood[-1], strict=True)]
    names = ("seconds", "processor", "loop", "calls", "sent")
    return {**dict(zip(names, passed, strict=True)), "answered": report["tasks"]}


if __name__ == "__main__":
    main()
