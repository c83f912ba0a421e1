"""`chorus replay RUN --update U --task J`: a task of a run, played again from the run folder alone.

The version that played it is found in a checkpoint, or else made again: from the checkpoint before it, all tasks of all
updates in between are played and applied in this process. That takes as long as one actor and one gradient worker need
for at most `checkpoint.every * checkpoint.archive` updates.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch

from chorus.actor.rollout import Player
from chorus.evaluation.film import captions, shoot, write_gif
from chorus.runs.record import Batch, read_batches
from chorus.common.settings.config import Config
from chorus.common.environments import make
from chorus.common.errors import ChorusError, ConfigError, MalformedData, RunFolderError
from chorus.common.process.fingerprint import Fingerprint, fingerprint, first_difference, of_actor
from chorus.common.environments.checks.purity import prove
from chorus.common.policy.opponents import Opponents
from chorus.common.policy.sharing import divide
from chorus.common.tasks.parts import digest_of_parts
from chorus.common.tasks.task import Purpose, Task, version_for
from chorus.common.policy.weights import PolicyVersion
from chorus.learner.storage.checkpoint import Checkpoint, checkpoint_files, load
from chorus.learner.storage.run_folder import read_about, read_config, read_history
from chorus.learner.update.training import Training

log = logging.getLogger("chorus.replay")


def replay(options: argparse.Namespace) -> int:
    """Play it, compare the digest with the record's, film it if asked to; 1 if the digests differ.

    Raises:
        ChorusError: the task is none of this run, or cannot be reached.
    """
    torch.set_num_threads(1)
    config = read_config(options.dir)
    if not (0 <= options.update < config.updates and 0 <= options.task < config.tasks):
        raise ConfigError(
            f"{options.dir} has updates 0 to {config.updates - 1} of tasks 0 to {config.tasks - 1};"
            f" there is no task ({options.update}, {options.task})"
        )
    task = Task(options.update, Purpose.TRAINING, options.task)
    batches = {int(batch["update"]): batch for batch in read_batches(options.dir)}
    spec = config.environment.spec
    environment, finding = prove(lambda: make(spec, render=options.gif is not None), task_episodes=config.episodes)
    try:
        policies = divide(environment.spec, config.sharing, config.network)
        for remark in (finding.message, _other_arithmetic(options.dir, fingerprint(config, environment.spec, policies))):
            if remark:
                print(f"note: {remark}", file=sys.stderr)
        opponents = Opponents(config, environment.spec, policies)
        player = Player(environment, policies, config.seed, instances=config.instances, opponents=opponents)
        number = version_for(task.update, config.lag)
        versions = reach(options.dir, config, player, number, batches)
        policy, past = versions[number], {older: versions[older] for older in opponents.past(task)}
        trajectory, pictures = shoot(player, policy, task, config.episodes, options.gif is not None, past)
    finally:
        environment.close()
    said = captions(trajectory, config, environment.spec.team_reward, task.update)
    if options.gif is not None and not write_gif(pictures, options.gif, said):
        raise ChorusError(f"{spec} has no pictures, so there is nothing to write to {options.gif}")
    made, recorded = digest_of_parts(trajectory, config.instances), recorded_digest(batches, task)
    print(f"{task} by version {policy.version}: {config.episodes} episodes, {trajectory.agent_steps} agent-steps")
    print(f"digest {made}")
    print("the record holds " + ("the same" if made == recorded else recorded or "none: that batch was never whole"))
    return 0 if recorded in ("", made) else 1


def reach(run: Path, config: Config, player: Player, version: int, batches: dict[int, Batch]) -> dict[int, PolicyVersion]:
    """A policy version of a run with those that its tasks' opponents play by: out of a checkpoint, or made again from
    the one before it.

    Raises:
        RunFolderError: no checkpoint is early enough, or what is made again is not what the record holds.
    """
    start: Checkpoint | None = None
    for path in reversed(checkpoint_files(run / "checkpoints")):
        if int(path.stem) > version + config.lag:
            continue
        try:
            checkpoint = load(path)
        except (MalformedData, OSError) as fault:
            print(f"note: {path.name} is broken, trying an older one: {fault}", file=sys.stderr)
            continue
        if version in checkpoint.versions:
            return checkpoint.versions
        if checkpoint.counters.update <= version:
            start = checkpoint
            break
    if start is None:
        raise RunFolderError(f"{run} has no whole checkpoint from which version {version} could be reached")
    spec = player.environment.spec
    policies = divide(spec, config.sharing, config.network)
    history = read_history(run)
    update = start.counters.update
    training = Training(config_at(history, update), spec, policies, start.versions, update, start.optimiser)
    print(f"making updates {training.update} to {version - 1} again", file=sys.stderr)
    while training.update < version:
        in_force = config_at(history, training.update)
        if training.config != in_force:  # a run that was resumed with other settings
            held = training.versions, training.update, training.optimiser_state
            training = Training(in_force, spec, policies, *held)
        sums = []
        for index in range(config.tasks):
            task = Task(training.update, Purpose.TRAINING, index)
            past = {policy.version: policy for policy in training.past_for(task)}
            trajectory = player.play(training.version_for(task.update), task, config.episodes, past=past)
            made, recorded = digest_of_parts(trajectory, config.instances), recorded_digest(batches, task)
            if recorded and made != recorded:
                raise RunFolderError(
                    f"{task} does not come out as the record says: {made}, recorded {recorded};"
                    " the environment is not reproducible, or this machine's arithmetic is not the run's"
                )
            sums.append(training.sums(trajectory))
        training.apply(sums)
    return training.versions


def config_at(history: list[tuple[int, Config]], update: int) -> Config:
    """The configuration that an update was made by."""
    return next(config for begin, config in reversed(history) if begin <= update)


def recorded_digest(batches: dict[int, Batch], task: Task) -> str:
    """What the record says of a training task; empty if its update was never made."""
    for recorded in batches.get(task.update, {"tasks": []})["tasks"]:
        if recorded["purpose"] == "training" and recorded["index"] == task.index:
            return str(recorded["digest"])
    return ""


def _other_arithmetic(run: Path, here: Fingerprint) -> str:
    difference = first_difference(of_actor(read_about(run)["fingerprint"]), here)
    return f"this is not the arithmetic of the run, so its bits may not come out: {difference}" if difference else ""
