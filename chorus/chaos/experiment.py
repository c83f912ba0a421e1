"""`chorus chaos`: train twice, once in peace and once under a seeded schedule of faults, and see that nothing differs.

The run in peace is made by `chorus train`. The other one has a learner and actors of its own, each actor behind a
proxy; whatever dies is started again, as a supervisor would; a learner of several processes (`--learners`) by torchrun.
Fault number k strikes when the record has k/(faults + 1)
of the updates, so all of them strike, however fast the machine is. It ends with a verdict, in `verdict.json` too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from chorus.chaos.keeper import Keeper
from chorus.chaos.proxy import Proxy
from chorus.common.errors import ChorusError
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config
from chorus.common.settings.plain import text
from chorus.learner.storage.run_folder import read_config
from chorus.runs.diff import find_parting
from chorus.runs.record import read_batches

KINDS = {
    "kill-actor": 20,
    "stop-actor": 12,
    "end-actor": 8,
    "cut": 15,
    "half-open": 8,
    "delay": 10,
    "throttle": 10,
    "corrupt": 15,
    "kill-learner": 8,
    "stop-learner": 6,
    "full-disk": 4,
}
"""The kinds of faults, and how often each comes up."""

POLL_SECONDS = 0.02
FULL_AT_BYTES = 4096
MEMORY_GROWTH = 1.25


@dataclass(frozen=True)
class Fault:
    """One fault: what, to which actor, for how long."""

    kind: str
    actor: int
    seconds: float


@dataclass
class Verdict:
    """What came of it.

    Attributes:
        faults: how many struck, by kind.
        complaints: what should not have been; empty if all is well.
        peak_megabytes: resident memory at its highest, of learners and actors, in peace and under faults.
        starts: how often learner and actors were started.
    """

    faults: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    peak_megabytes: dict[str, float] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    accounts: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing was amiss."""
        return not self.complaints


def schedule(seed: int, faults: int, actors: int, kinds: dict[str, int]) -> list[Fault]:
    """The faults in the order in which they strike; equal seeds give equal faults."""
    draw = random.Random(seed)
    names = draw.choices(list(kinds), list(kinds.values()), k=faults)
    return [Fault(name, draw.randrange(actors), round(draw.uniform(0.1, 2.0), 2)) for name in names]


def run(options: argparse.Namespace, config: Config) -> int:
    """Train in peace, train under faults, compare, tell; 0 if the verdict is good."""
    unknown = set(options.only) - KINDS.keys()
    if unknown:
        raise ChorusError(f"--only {', '.join(sorted(unknown))}: there is no such fault; known are {', '.join(KINDS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    if any(options.out.iterdir()):
        raise ChorusError(f"{options.out} is not empty; choose another --out")
    (options.out / "config.yaml").write_text(text(configuration.to_dict(config)))
    kinds = {kind: KINDS[kind] for kind in options.only or KINDS}
    plan = schedule(options.chaos_seed, options.faults, options.actors, kinds)
    verdict = asyncio.run(_Chaos(options.out, config, options.actors, options.learners, plan).run())
    told = json.dumps(asdict(verdict), indent=2)
    (options.out / "verdict.json").write_text(told + "\n")
    print(told)
    print("nothing lost, nothing counted twice" if verdict.good else "SOMETHING IS AMISS")
    return 0 if verdict.good else 1


def _free_ports(count: int) -> int:
    """The first of so many free ports that follow one another."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for place in range(1, count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port + place))
            except (OSError, OverflowError):
                continue
            return port


class _Chaos:
    """The two runs and their comparison."""

    def __init__(self, out: Path, config: Config, actors: int, learners: int, plan: list[Fault]) -> None:
        self._out = out
        self._config = config
        self._count = actors
        self._learners = learners
        self._plan = plan
        self._verdict = Verdict()
        self._proxies: list[list[Proxy]] = []
        self._actors: list[Keeper] = []
        self._learner: Keeper | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> Verdict:
        """Both runs and the verdict."""
        began = time.monotonic()
        with (self._out / "log.jsonl").open("ab") as log:
            await self._in_peace(log)
            self._config = read_config(self._out / "peace")  # resolved: the number of updates is known now
            open_before = psutil.Process().num_fds()
            await self._under_faults(log)
        self._verdict.seconds = round(time.monotonic() - began, 1)
        self._compare(open_before)
        return self._verdict

    async def _in_peace(self, log: IO[bytes]) -> None:
        arguments = ["train", "--config", str(self._out / "config.yaml"), "--out", str(self._out / "peace")]
        keeper = Keeper([*arguments, "--actors", str(self._count), "--no-pictures"], log)
        learner = actor = 0
        try:
            ending = asyncio.ensure_future(keeper.ended())
            while not ending.done():
                await asyncio.wait({ending}, timeout=0.1)
                keeper.measure()
                if keeper.pid is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        for child in psutil.Process(keeper.pid).children():
                            actor = max(actor, child.memory_info().rss)
                learner = keeper.peak
            ending.result()
        finally:
            await keeper.close()
        self._verdict.peak_megabytes |= {"learner in peace": learner / 2**20, "actors in peace": actor / 2**20}

    async def _under_faults(self, log: IO[bytes]) -> None:
        port = _free_ports(self._learners)
        config, out = str(self._out / "config.yaml"), str(self._out / "faults")
        try:
            listen = ["--listen", f"127.0.0.1:{port}"]
            self._learner = Keeper(["learner", "--config", config, "--out", out, *listen], log, self._learners)
            for number in range(self._count):
                self._proxies.append([Proxy(port + place) for place in range(self._learners)])
                address = ",".join([f"127.0.0.1:{await proxy.start()}" for proxy in self._proxies[-1]])
                own = ["--allow-env", self._config.environment.spec.partition("?")[0]]
                self._actors.append(Keeper(["actor", "--learner", address, "--name", f"actor-{number}", *own], log))
            await self._strike_all(self._learner)
        finally:
            for fault in self._under_way:
                fault.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            for keeper in [*self._actors, *([self._learner] if self._learner is not None else [])]:
                await keeper.close()
            for proxy in [proxy for proxies in self._proxies for proxy in proxies]:
                await proxy.close()
        peaks = {"learner": self._learner.peak, "actors": max(actor.peak for actor in self._actors)}
        self._verdict.peak_megabytes |= {f"{who} under faults": peak / 2**20 for who, peak in peaks.items()}
        self._verdict.starts = {
            "learner": self._learner.starts,
            "actors": sum(actor.starts for actor in self._actors),
        }

    async def _strike_all(self, learner: Keeper) -> None:
        """Let every fault strike at its place in the run, until the run is complete."""
        ending = asyncio.ensure_future(learner.ended())
        struck: Counter[str] = Counter()
        waiting = list(enumerate(self._plan, start=1))
        try:
            while not ending.done():
                done = self._updates()
                while waiting and done * (len(self._plan) + 1) >= waiting[0][0] * self._config.updates:
                    _, fault = waiting.pop(0)
                    struck[fault.kind] += 1
                    task = asyncio.create_task(self._strike(fault, learner))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                    done = self._updates()
                for keeper in (learner, *self._actors):
                    keeper.measure()
                await asyncio.wait({ending}, timeout=POLL_SECONDS)
            ending.result()
        finally:
            ending.cancel()
            self._verdict.faults = dict(struck)

    def _updates(self) -> int:
        record = self._out / "faults" / "batches.jsonl"
        return record.read_bytes().count(b"\n") if record.exists() else 0

    async def _strike(self, fault: Fault, learner: Keeper) -> None:
        actor = self._actors[fault.actor]
        victim = round(100 * fault.seconds)
        proxy = self._proxies[fault.actor][victim % self._learners]
        if fault.kind == "kill-actor":
            actor.send(signal.SIGKILL)
        elif fault.kind == "end-actor":
            actor.send(signal.SIGTERM)
        elif fault.kind == "kill-learner":
            await asyncio.sleep(fault.seconds / 4)
            learner.send(signal.SIGKILL, victim)
        elif fault.kind == "cut":
            proxy.cut()
        elif fault.kind == "corrupt":
            proxy.corruptions += 1
        elif fault.kind in ("stop-actor", "stop-learner"):
            pid = (actor if fault.kind == "stop-actor" else learner).send(signal.SIGSTOP, victim)
            try:
                await asyncio.sleep(fault.seconds)
            finally:
                if pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
        elif fault.kind == "half-open":
            proxy.freeze()
            try:
                await asyncio.sleep(2 * fault.seconds)
            finally:
                proxy.cut()
                proxy.thaw()
        elif fault.kind == "delay":
            proxy.delay += fault.seconds / 10
            try:
                await asyncio.sleep(2 * fault.seconds)
            finally:
                proxy.delay = max(0.0, proxy.delay - fault.seconds / 10)
        elif fault.kind == "throttle":
            proxy.rate = 100_000.0 * fault.seconds
            try:
                await asyncio.sleep(2 * fault.seconds)
            finally:
                proxy.rate = 0.0
        elif fault.kind == "full-disk":
            await self._fill_disk(fault.seconds, learner)

    @staticmethod
    async def _fill_disk(seconds: float, learner: Keeper) -> None:
        """No file of the learner can grow beyond a few kilobytes: to it, the disk is full."""
        full = learner.pids()
        hard = resource.RLIM_INFINITY
        for pid in full:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, hard))
        await asyncio.sleep(seconds)
        for pid in set(full) & set(learner.pids()):
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    # -- the comparison

    def _compare(self, open_before: int) -> None:
        verdict, peace, faults = self._verdict, self._out / "peace", self._out / "faults"
        if sum(verdict.faults.values()) != len(self._plan):
            verdict.complaints.append(f"only {sum(verdict.faults.values())} of {len(self._plan)} faults struck")
        ours, theirs = read_batches(peace), read_batches(faults)
        parting = find_parting(ours, theirs)
        if parting is not None:
            verdict.complaints.append(f"the runs part at update {parting[0]}: {parting[1]}")
        if [batch["update"] for batch in theirs] != list(range(self._config.updates)):
            verdict.complaints.append("the record does not hold every update once")
        for batch in theirs:
            names = [(task["purpose"], task["index"]) for task in batch["tasks"]]
            if len(set(names)) != len(names):
                verdict.complaints.append(f"a task is counted twice in update {batch['update']}")
        weights = [(run / "final" / "policy.safetensors").read_bytes() for run in (peace, faults)]
        if weights[0] != weights[1]:
            verdict.complaints.append("the final weights differ")
        verdict.accounts = self._accounts()
        if not verdict.accounts.get("balanced"):
            verdict.complaints.append("the accounts do not balance")
        self._look_for_leftovers(open_before)
        for who in ("learner", "actors"):
            before, after = verdict.peak_megabytes[f"{who} in peace"], verdict.peak_megabytes[f"{who} under faults"]
            if after > MEMORY_GROWTH * before:
                verdict.complaints.append(f"memory of {who} grew from {before:.0f} to {after:.0f} MB")
        verdict.peak_megabytes = {who: round(peak, 1) for who, peak in verdict.peak_megabytes.items()}

    def _accounts(self) -> dict[str, Any]:
        """Those of the last learner, as it closed them."""
        told = b'"accounts of all processes"' if self._learners > 1 else b'"accounts"'
        for line in reversed((self._out / "log.jsonl").read_bytes().splitlines()):
            if told in line:
                event = json.loads(line)
                return {name: event[name] for name in event.keys() - {"time", "level", "logger", "event"}}
        return {}

    def _look_for_leftovers(self, open_before: int) -> None:
        this = psutil.Process()
        left = [child.pid for child in this.children(recursive=True)]
        if left:
            self._verdict.complaints.append(f"processes were left behind: {left}")
        if this.num_fds() > open_before:
            self._verdict.complaints.append(f"{this.num_fds() - open_before} files or sockets were left open")
        parts = [path.name for path in self._out.rglob("*.part")]
        if parts:
            self._verdict.complaints.append(f"unfinished files were left behind: {parts}")
