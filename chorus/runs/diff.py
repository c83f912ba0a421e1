"""`chorus diff RUN_A RUN_B`: are two runs the same run, and if not, at which update and task do they part?"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

from chorus.common.process.fingerprint import first_difference
from chorus.common.settings import config as configuration
from chorus.common.settings.plain import differences
from chorus.learner.storage.run_folder import read_about, read_config
from chorus.runs.record import Batch, read_batches


def compare(run_a: Path, run_b: Path) -> int:
    """Tell which settings differ, then where the runs part; 0 if they are equal as far as both go, 1 if they part."""
    first, second = read_batches(run_a), read_batches(run_b)
    settings = [configuration.to_dict(read_config(run)) for run in (run_a, run_b)]
    if apart := differences(*settings):
        print(f"settings that differ ({run_a}, {run_b}):")
        print("\n".join(f"  {line}" for line in apart))
    if other := first_difference(read_about(run_a)["fingerprint"], read_about(run_b)["fingerprint"]):
        print(f"arithmetic that differs ({run_a} called the run, {run_b} here): {other}")
    parting = find_parting(first, second)
    if parting is not None:
        update, lines = parting
        print(f"the runs part at update {update}:")
        print("\n".join(f"  {line}" for line in lines))
        return 1
    common = min(len(first), len(second))
    print(f"equal over {common} updates")
    if len(first) != len(second):
        print(f"{run_a} has {len(first)} updates, {run_b} has {len(second)}")
        return 0
    weights = [_weights(folder) for folder in (run_a, run_b)]
    if None not in weights:
        equal = weights[0] == weights[1]
        print(f"final weights are {'equal' if equal else 'NOT equal'}")
        return 0 if equal else 1
    return 0


def find_parting(first: list[Batch], second: list[Batch]) -> tuple[int, list[str]] | None:
    """The first update whose batches differ, and what differs in it; None if none does as far as both go."""
    for ours, theirs in zip(first, second, strict=False):
        if ours["digest"] != theirs["digest"]:
            return int(ours["update"]), list(_differences(ours, theirs))
    return None


def _differences(ours: Batch, theirs: Batch) -> list[str]:
    lines = []
    for one, other in zip_longest(_training(ours), _training(theirs)):
        if one is None or other is None:
            lines.append(f"one batch has {len(_training(ours))} tasks, the other {len(_training(theirs))}")
            break
        if one["digest"] != other["digest"]:
            lines.append(
                f"task {one['index']}: {one['digest'][:16]} played by {one['actor']},"
                f" {other['digest'][:16]} played by {other['actor']}"
            )
    return lines


def _training(batch: Batch) -> list[dict[str, Any]]:
    return [task for task in batch["tasks"] if task["purpose"] == "training"]


def _weights(run: Path) -> bytes | None:
    path = run / "final" / "policy.safetensors"
    return path.read_bytes() if path.exists() else None
