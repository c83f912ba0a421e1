"""Half an hour of actors that come and go: memory stays where it is. CHORUS_SOAK_MINUTES makes it shorter."""

import os
import random
import signal
import statistics
import time

import psutil
import pytest

from tests.system.processes import Chorus, Process, rows, until

MINUTES = float(os.environ.get("CHORUS_SOAK_MINUTES", "30"))
SPEC = "tests.system.toys:fair?pause=0.002"
FLAT = 0.02


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_memory_is_flat_while_four_actors_join_and_leave_at_random(chorus: Chorus) -> None:
    """One of the four stays, so that an actor's memory can be followed too."""
    draw = random.Random(0)
    learner, address = chorus.learner("run", "--env", SPEC, "--updates", "100000000", "--set", "checkpoint.every=200")

    def join(number: int) -> Process:
        return chorus.actor(address, f"actor-{number}", "--allow-env", SPEC.partition("?")[0])

    actors = {number: join(number) for number in range(4)}
    until(lambda: len(rows(chorus.folder / "run")) > 0)
    memory: dict[str, list[int]] = {"learner": [], "actor": []}
    for _ in range(int(MINUTES * 60)):
        memory["learner"].append(psutil.Process(learner.pid).memory_info().rss)
        memory["actor"].append(psutil.Process(actors[0].pid).memory_info().rss)
        if draw.random() < 0.1:
            number = draw.randrange(1, 4)
            if number in actors:
                leaving = actors.pop(number)
                leaving.send(draw.choice([signal.SIGTERM, signal.SIGKILL]))
                leaving.ended()
            else:
                actors[number] = join(number)
        time.sleep(1)
    growth = {}
    for who, samples in memory.items():
        settled = samples[len(samples) // 10 :]
        third = len(settled) // 3
        early, late = statistics.median(settled[:third]), statistics.median(settled[-third:])
        growth[who] = late / early - 1
        print(f"{who}: {early / 2**20:.1f} MB, then {late / 2**20:.1f} MB: {growth[who]:+.2%}")
    print(f"{len(rows(chorus.folder / 'run'))} updates")
    learner.send(signal.SIGTERM)
    learner.succeeded()
    assert max(growth.values()) < FLAT
