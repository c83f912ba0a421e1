"""What it costs that a learner is several processes: `python -m chorus.benchmarks.group`, alone or by torchrun.

    python -m chorus.benchmarks.group --lstm 256
    torchrun --standalone --nproc-per-node 2 -m chorus.benchmarks.group --lstm 256

Every process differentiates its share of the same batch and makes the update; the first prints a line of JSON. With
one process, `--workers` is as many gradient threads as there would be processes, so that both have the same cores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from chorus.common.process import arithmetic

UPDATES = 5


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="What several processes of a learner cost.")
    parser.add_argument("--lstm", type=int, default=64)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    arithmetic.pin()
    print_of = measure(options)
    if print_of:
        print(json.dumps(print_of), flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """A process's figures; empty but for the first process."""
    import torch

    from chorus.benchmarks.scene import Scene
    from chorus.learner.group.group import own
    from chorus.learner.group.processes import find_group
    from chorus.learner.update.training import Training

    torch.set_num_threads(1)
    settings = {"network": {"encoder": options.lstm, "lstm": options.lstm}, "update": {"tasks": options.tasks}}
    scene = Scene.of({**settings, "update": {**settings["update"], "passes": options.passes, "minibatches": 2}})
    group = find_group(scene.config)
    training = Training(scene.config, scene.spec, scene.policies, {0: scene.version}, group=group)
    batch = [scene.trajectory(index) for index in own(group, options.tasks)]
    wall, processor, calls, sent = [], [], [], []
    with ThreadPoolExecutor(options.workers) as threads:

        def work(function: Callable[[Any], Any], things: Iterable[Any]) -> Iterable[Any]:
            return threads.map(function, things)

        for _ in range(UPDATES + 1):
            group.gather(b"")
            before = time.perf_counter(), time.process_time(), group.seconds, group.sent
            training.apply(list(work(training.sums, batch)), work)
            wall.append(time.perf_counter() - before[0])
            processor.append(time.process_time() - before[1])
            calls.append(group.seconds - before[2])
            sent.append(group.sent - before[3])
    group.close()
    if group.rank:
        return {}
    middle = UPDATES // 2
    return {
        "processes": group.size,
        "workers": options.workers,
        "lstm": options.lstm,
        "tasks": options.tasks,
        "steps": 2 * options.passes,
        "milliseconds": round(1e3 * sorted(wall[1:])[middle], 1),
        "processor_milliseconds_of_a_process": round(1e3 * sorted(processor[1:])[middle], 1),
        "share_in_calls": round(sorted(c / w for c, w in zip(calls[1:], wall[1:], strict=True))[middle], 3),
        "megabytes_of_a_process": round(sent[-1] / 1e6, 3),
    }


if __name__ == "__main__":
    main()
