"""A learner from start to end: environment, run folder, checkpoint, server, coordinator; and their orderly closing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import IO

import msgspec
import torch

from chorus.common.environments import make
from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.environments.registry import is_built_in
from chorus.common.errors import ConfigError, TrainingFault
from chorus.common.isolation.isolated import Isolated
from chorus.common.monitoring import metrics
from chorus.common.monitoring.health import Health
from chorus.common.monitoring.web import Web
from chorus.common.page.site import Site
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.size import refuse_too_large
from chorus.common.policy.weights import Tensors
from chorus.common.process import logs
from chorus.common.process.allocator import keep_freed_memory
from chorus.common.process.fingerprint import (
    Fingerprint,
    chorus_version,
    fingerprint,
    first_difference,
    of_actor,
)
from chorus.common.process.memory import memory
from chorus.common.settings import config as configuration
from chorus.common.settings.config import Config, resolve
from chorus.common.tasks.task import Task
from chorus.common.transport.credentials import NOTHING, Credentials
from chorus.learner.bookkeeper import Progress
from chorus.learner.coordinator import Coordinator, room_of
from chorus.learner.gradient.own_module import name_module
from chorus.learner.group.beginning import Beginning, hear, see_same_settings, tell
from chorus.learner.group.group import ALONE, Group
from chorus.learner.group.processes import local_rank
from chorus.learner.service.overview import Overview
from chorus.learner.service.server import Server, payload_limit
from chorus.learner.storage.checkpoint import (
    Checkpoint,
    Counters,
    checkpoint_files,
    decode,
    encode,
    load_newest,
    save_checkpoint,
)
from chorus.learner.storage.elsewhere import Elsewhere
from chorus.learner.storage.other_run import freeze, newest_weights
from chorus.learner.storage.run_folder import RunFolder
from chorus.learner.update.fingerprint import fingerprint as learner_fingerprint
from chorus.learner.update.training import Training, first_version
from chorus.protos.chorus.v1 import rollout_pb2 as pb

log = logging.getLogger("chorus.learner")

LAST_WORDS_SECONDS = 20.0
"""So long a learner that cannot go on still answers `/metrics`: longer than one scrape takes to come round."""


@dataclass(frozen=True)
class Serving:
    """A learner that listens: what whoever started it may want to know and do."""

    run: str
    config: Config
    environment: EnvironmentSpec
    policies: tuple[PolicySpec, ...]
    port: int
    address: str
    """HOST:PORT at which processes of this machine find it."""
    addresses: Sequence[str]
    """Those of all processes of this learner, by rank, as each finds itself."""
    page: str
    """Where a browser of this machine finds the run's page; empty if there is none."""
    resumed_at: int
    stop: Callable[[], None]
    """End after the present update, with a checkpoint; call it from the learner's own loop."""
    status: Callable[[], pb.StatusReply]
    begun: Callable[[], bool]
    """Whether this learner has made an update."""
    over: Callable[[], bool]
    """Whether the run is complete or being stopped."""
    fell: Callable[[str, Task | None, str], Awaitable[bool]]
    """An actor that was started here ended of itself: name, the task it was at, how. Whether it had played anything."""
    stranded: Callable[[], bool]
    """Whether an audit waits for an actor that is not there."""
    auditing: Callable[[], bool]
    """Whether an audit is not done."""

    @property
    def finished(self) -> bool:
        """Whether the run was complete before it was started."""
        return self.resumed_at >= self.config.updates


@dataclass(frozen=True)
class Listening:
    """Where a learner is to be reached.

    Attributes:
        address: HOST:PORT of the gRPC server; port 0 takes any that is free.
        metrics_port: of `/metrics` and `/healthz`; None for none.
        metrics_host: that it listens at.
        health_port: of a health service in clear text beside the metrics; None for none.
        page: serve the page of the run beside the metrics.
        last_words: go on answering there for a while when training cannot go on: somebody scrapes the metrics.
        credentials: what is shown to actors, and asked of them.
    """

    address: str = "127.0.0.1:0"
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    health_port: int | None = None
    credentials: Credentials = NOTHING
    page: bool = False
    last_words: bool = True

    def beside(self, place: int, page: bool) -> Listening:
        """As another process of this machine: every port that is named is by so many greater."""

        def port(number: int | None) -> int | None:
            return number + place if number else number

        host, _, number = self.address.rpartition(":")
        address = f"{host}:{port(int(number))}" if number.isdigit() else self.address
        metrics_port, health_port = port(self.metrics_port), port(self.health_port)
        return replace(self, address=address, page=page, metrics_port=metrics_port, health_port=health_port)


def own_host(address: str) -> str:
    """Where processes of this machine find a server that listens at HOST:PORT."""
    host = address.rpartition(":")[0]
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "localhost"}.get(host, host)  # of localhost both kinds


def begin_from(config: Config, init_from: Path | None, fresh: bool) -> tuple[Config, Tensors | None]:
    """The configuration with the digest of the weights that the run starts from, and these; None for fresh ones.

    Args:
        config: may name a digest already, as the `config.yaml` of such a run does.
        init_from: a run folder; None for none.
        fresh: whether the run is not begun yet.

    Raises:
        ConfigError: the configuration wants weights that are not given.
    """
    wanted = config.initial_weights
    if init_from is None:
        if wanted and fresh:
            raise ConfigError(
                f"initial_weights: the run starts from weights with the SHA-256 {wanted[:16]}…; give --init-from RUN,"
                " the run that has them, or leave initial_weights out to start from fresh ones"
            )
        return config, None
    weights = newest_weights(init_from, f"--init-from {init_from}")
    digest, initial = weights.sha256.hex(), weights.tensors()
    if wanted and wanted != digest:
        raise ConfigError(
            f"--init-from {init_from}: its weights have the SHA-256 {digest[:16]}…, but initial_weights is"
            f" {wanted[:16]}…; give the run that has those, or leave initial_weights out"
        )
    return msgspec.structs.replace(config, initial_weights=digest), initial


def describe(config: Config, prints: IO[str] | None = None) -> EnvironmentSpec:
    """What the environment says of itself; asked in a process of its own unless Chorus brings it along, so that nothing
    that it does, crashing and hanging included, happens to the learner.

    Raises:
        EnvironmentFault: it cannot be made.
    """
    spec = config.environment.spec
    environment = make(spec) if is_built_in(spec) else Isolated(spec, config.learner.task_timeout, prints=prints)
    try:
        return environment.spec
    finally:
        environment.close()


def _begin(
    config: Config, spec: EnvironmentSpec, folder: RunFolder, init_from: Path | None, resuming: bool
) -> tuple[Config, str, Fingerprint, Checkpoint]:
    """Begin the run in the folder, or find where it stands: its settings, id, fingerprint, and newest state."""
    fresh = not checkpoint_files(folder.checkpoints)
    config, initial = begin_from(config, init_from, fresh)
    config = resolve(config, spec, folder.begun_with())
    config, frozen = freeze(config, spec, None if fresh else folder.frozen())
    config = name_module(config, divide(spec, config.sharing, config.network))
    policies = divide(spec, config.sharing, config.network)
    at_once = config.tasks if spec.max_steps else 1  # what nobody knows the length of is hardly ever all of the longest
    trajectories = 0 if config.learner.spill else at_once * payload_limit(spec, config.episodes)  # else on a disk
    refuse_too_large(config, policies, trajectories, memory())
    actors, own = fingerprint(config, spec, policies), learner_fingerprint(config, policies)
    run = folder.begin(config, actors | own, resuming)
    folder.write_environment(spec)
    logs.bind(run=run)
    checkpoint = load_newest(folder.checkpoints)
    if checkpoint is None:
        folder.refuse_if_trained()
        first = first_version(config, policies, initial)
        training = Training(config, spec, policies, {0: first} | frozen)
        checkpoint = Checkpoint(Counters(learner=own), training.versions, training.optimiser_state)
        save_checkpoint(folder.checkpoints, checkpoint, config.checkpoint)
    folder.refuse_unlike(checkpoint.counters.learner, own, config)
    checkpoint = replace(checkpoint, counters=msgspec.structs.replace(checkpoint.counters, learner=own))
    folder.note_changes(checkpoint.counters.update)
    folder.open_record(checkpoint.counters.metrics_bytes, checkpoint.counters.batches_bytes)
    return config, run, actors | own, checkpoint


async def serve(
    config: Config,
    out: Path,
    listening: Listening,
    init_from: Path | None = None,
    on_start: Callable[[Serving], None] = lambda serving: None,
    on_update: Callable[[Progress], None] = lambda progress: None,
    resuming: bool = False,
    prints: IO[str] | None = None,
    group: Group = ALONE,
) -> bool:
    """Run a learner until the run is complete or stopped; return whether it is complete.

    Args:
        config: not yet resolved.
        out: the run folder, empty or holding this very run.
        listening: where actors find it.
        init_from: a run folder whose final weights to start from.
        on_start: called once actors can connect.
        on_update: called after each update.
        resuming: the folder must hold a run, and settings that differ from its own are to hold from now on.
        prints: where what the environment prints goes while it is asked what it is; None for this process's outputs.
        group: the processes that are this learner; only process 0 looks at the folder and at `init_from`.

    Raises:
        ChorusError: the configuration, the environment, the folder or the training is at fault.
        OSError: an address or the disk is.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    room_of(config).see_writable()
    spec = describe(config, prints)
    if group.size > 1:
        logs.bind(rank=str(group.rank))
        see_same_settings(group, config)
        listening = listening.beside(local_rank(), page=group.rank == 0)
    folder = RunFolder(out) if group.rank == 0 else Elsewhere(out)
    try:
        if isinstance(folder, RunFolder):
            config, run, print_of, checkpoint = _begin(config, spec, folder, init_from, resuming)
            if group.size > 1:
                settings = configuration.encode(config)
                tell(group, Beginning(run=run, config=settings, fingerprint=print_of, checkpoint=encode(checkpoint)))
        else:
            begun = hear(group)
            config, run, print_of = configuration.decode(begun.config), begun.run, begun.fingerprint
            checkpoint = decode(begun.checkpoint)
        policies = divide(spec, config.sharing, config.network)
        here = fingerprint(config, spec, policies) | learner_fingerprint(config, policies) if group.rank else print_of
        if difference := first_difference(print_of, here):
            raise ConfigError(
                f"process {group.rank} of the learner has other arithmetic than process 0: {difference}; run all on"
                " like machines with the same packages"
            )
        logs.bind(run=run)
        counters = checkpoint.counters
        training = Training(config, spec, policies, checkpoint.versions, counters.update, checkpoint.optimiser, group)
        registry = metrics.registry(group.rank if group.size > 1 else None)
        exported = metrics.LearnerMetrics(registry)
        exported.build.info({"version": chorus_version(), "run": run})
        exported.policy_lag_setting.set(config.lag)
        listening.credentials.export_expiry(exported.expiry)
        exported.policy_version.set(counters.update)
        exported.progress_time.set_to_current_time()
        exported.checkpoint_time.set(nan)  # who writes none has none that could be old
        if isinstance(folder, RunFolder):
            exported.checkpoint_time.set(max(file.stat().st_mtime for file in folder.checkpoints.iterdir()))
        coordinator = Coordinator(config, spec, training, folder, counters, exported, on_update, group)
        server = Server(coordinator, run, of_actor(print_of), listening.credentials)
        port = await server.start(listening.address)
        address = f"{own_host(listening.address)}:{port}"
        coordinator.joint.address = address
        addresses = [told.decode() for told in group.gather(address.encode())]
        web, health, watch = None, None, asyncio.create_task(server.watch())
        try:
            if listening.metrics_port is not None:
                site = Site(out, Overview(server, registry)) if listening.page else None
                web = Web(
                    listening.metrics_host, listening.metrics_port, registry, server.ill, listening.credentials, site
                )
            if listening.health_port is not None:
                health = Health(listening.metrics_host, listening.health_port, server.ill, lambda: True)
            on_start(
                Serving(
                    run,
                    config,
                    spec,
                    policies,
                    port,
                    address,
                    addresses,
                    web.address if web is not None and listening.page else "",
                    counters.update,
                    coordinator.stop,
                    server.status,
                    lambda: coordinator.last is not None,
                    lambda: coordinator.state in ("finished", "stopping"),
                    coordinator.reception.fell,
                    lambda: coordinator.audits.stranded,
                    lambda: coordinator.audits.waiting,
                )
            )
            log.info(
                "learner listens",
                extra={
                    "port": port,
                    "metrics_port": web.port if web else None,
                    "health_port": health.port if health else None,
                    "update": counters.update,
                    "updates": config.updates,
                },
            )
            try:
                finished = await coordinator.run()
            except TrainingFault as fault:
                log.error("training cannot go on", extra={"fault": str(fault)})
                await server.stop(pb.Goodbye.REASON_STOPPING)
                if web is not None and listening.last_words:  # what happened must be seen before it is gone
                    await coordinator.stopped(LAST_WORDS_SECONDS)
                raise
            reason = pb.Goodbye.REASON_FINISHED if finished else pb.Goodbye.REASON_STOPPING
            await server.stop(reason)
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await server.stop(pb.Goodbye.REASON_STOPPING, grace=0)
            for beside in (web, health):
                if beside is not None:
                    beside.close()
        log.info("learner ended", extra={"update": training.update, "finished": finished})
        return finished
    finally:
        folder.close()
