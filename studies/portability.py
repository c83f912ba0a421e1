"""What a machine computes, in digests: whole updates of many kinds, played and learned from, by its own arithmetic.

Two machines that print the same here train alike, byte for byte. `chorus doctor --arithmetic` shows it, `make portable`
compares processors, and docs/reproducibility.md has the digests that come out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from chorus.actor.rollout import Player
from chorus.common.policy.sharing import divide
from chorus.common.process import arithmetic, processor
from chorus.common.settings import config as configuration
from chorus.common.settings.config import resolve
from chorus.common.tasks.task import Purpose, Task
from chorus.common.tasks.trajectory import digest
from chorus.learner.update.training import Training, first_version
from chorus.studies.meadow import Meadow

UPDATES = 2
Settings = dict[str, Any]

ONE_STEP: Settings = {
    "update": {"passes": 1, "tasks": 2},
    "loss": {"baseline": "leave_one_out"},
    "value": {"network": "head", "sees": "own"},
    "reward": {"scale": "none"},
    "network": {"layer_norm": False},
}
RECIPE: Settings = {"update": {"tasks": 2}}
"""What runs do unless told otherwise: four passes, a value network of its own that sees the team."""


@dataclass(frozen=True)
class Case:
    """A kind of run.

    Attributes:
        name: in words.
        settings: sections of a configuration.
        shape: of an observation: numbers, a set or a picture.
        actions: `choice`, `bounded` or `unbounded`: one-sided and free components too.
        uneven: whether lives are of unlike lengths.
        quick: whether it belongs to the small selection.
    """

    name: str
    settings: Settings
    shape: tuple[int, ...] = (18,)
    actions: str = "choice"
    uneven: bool = False
    quick: bool = False


CASES = (
    Case("lives of one length", ONE_STEP, quick=True),
    Case("lives of unlike lengths, default recipe, lag 1", RECIPE | {"lag": 1}, uneven=True, quick=True),
    Case(
        "continuous actions, one-sided too; GRU; RMSprop with momentum",
        ONE_STEP
        | {
            "network": {"memory": "gru", "lstm": 40, "normalise_observations": True, "activation": "silu"},
            "optimiser": {"name": "rmsprop", "momentum": 0.9},
        },
        actions="unbounded",
        uneven=True,
    ),
    Case(
        "continuous actions within bounds, default recipe, lag 1",
        RECIPE | {"lag": 1, "network": {"activation": "tanh"}},
        actions="bounded",
    ),
    Case(
        "pictures; SGD with momentum",
        ONE_STEP
        | {
            "loss": {"baseline": "value"},
            "value": {"network": "own", "sees": "own"},
            "network": {"channels": [8, 16]},
            "optimiser": {"name": "sgd", "momentum": 0.9},
        },
        shape=(9, 9, 3),
    ),
    Case(
        "sets by attention; two layers of LSTM, normalised, orthogonal at first",
        RECIPE
        | {
            "network": {
                "attention": 16,
                "layers": 2,
                "layer_norm": True,
                "initialisation": "orthogonal",
                "activation": "elu",
                "lstm": 32,
            }
        },
        shape=(5, 4),
        uneven=True,
    ),
    Case(
        "no memory; lives' means; slow targets",
        RECIPE
        | {"network": {"memory": "none", "lstm": 48}, "loss": {"reduction": "agent_mean"}, "value": {"slow": 0.1}},
        uneven=True,
    ),
    Case("LSTM of 256, lives of one length", ONE_STEP | {"network": {"lstm": 256, "encoder": 256}}),
    Case("LSTM of 256, lives of unlike lengths", ONE_STEP | {"network": {"lstm": 256, "encoder": 256}}, uneven=True),
)


@dataclass(frozen=True)
class Found:
    """A case's digests: of what its actors played, and of the weights that its learner ended with."""

    name: str
    played: str
    learned: str


def examine(quick: bool = False) -> Iterator[Found]:
    """Play and learn every case, or the small selection; one after the other, since it takes a while."""
    torch.set_num_threads(1)
    for case in CASES:
        if case.quick or not quick:
            yield _examined(case)


def tell(as_json: bool = False, quick: bool = False) -> int:
    """Print what `examine` finds, case by case, as the table in docs/reproducibility.md; return the exit code."""
    if as_json:
        print(json.dumps({"processor": processor.name(), "cases": [asdict(found) for found in examine(quick)]}))
        return 0
    print(f"| two updates of | played | learned |  {arithmetic.mode()} arithmetic, {processor.name()}")
    for found in examine(quick):
        print(f"| {found.name} | `{found.played}` | `{found.learned}` |", flush=True)
    return 0


def _examined(case: Case) -> Found:
    environment = Meadow(case.shape, case.actions, case.uneven)
    config = resolve(configuration.check(case.settings | {"task": {"episodes": 8}, "updates": 9}), environment.spec)
    policies = divide(environment.spec, config.sharing, config.network)
    training = Training(config, environment.spec, policies, {0: first_version(config, policies)})
    player = Player(environment, policies, config.seed)
    played, learned = hashlib.sha256(), hashlib.sha256(training.current.data)
    for update in range(UPDATES):
        version = training.version_for(update)
        tasks = [Task(update, Purpose.TRAINING, index) for index in range(config.tasks)]
        batch = [player.play(version, task, config.episodes) for task in tasks]
        played.update("".join(map(digest, batch)).encode())
        training.apply([training.sums(trajectory) for trajectory in batch])
        learned.update(training.current.data)
        for name, value in sorted(training.optimiser_state.items()):
            learned.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return Found(case.name, played.hexdigest()[:16], learned.hexdigest()[:16])
