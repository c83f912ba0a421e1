"""`chorus evaluate --trajectories FILE`: everything that was played, as one NPZ or Parquet file for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from chorus.common.errors import ConfigError

TIMED = (
    "observations",
    "actions",
    "log_probabilities",
    "acted",
    "individual_rewards",
    "team_rewards",
    "terminated",
    "truncated",
)
"""Arrays `[time, episode, …]` of a trajectory; those of unlike tasks are put together along the episodes."""

FORMATS = (".npz", ".parquet")

Arrays = dict[str, NDArray[Any]]


def check_format(path: Path) -> None:
    """See that the file's ending names a format, and that what writes it is installed.

    Raises:
        ConfigError: it does not, or it is not.
    """
    if path.suffix not in FORMATS:
        raise ConfigError(f"--trajectories {path}: end the name in {' or '.join(FORMATS)}")
    if path.suffix == ".parquet":
        _parquet()


def write(parts: Path, path: Path, agents: list[str], episodes: int) -> None:
    """Write the tasks that lie in a folder as one file.

    NPZ holds `[time, episode, agent, …]` arrays, zero after an episode's end (`lengths` says where that is), and the
    agents' names. Parquet holds a row for every action taken: episode, step, agent, reward, and lists for the rest.
    """
    merged = merge([load_file(part) for part in sorted(parts.glob("*.safetensors"))], episodes)
    if path.suffix == ".npz":
        with path.open("wb") as file:
            everything: dict[str, Any] = {"agents": np.array(agents), **merged}
            np.savez_compressed(file, **everything)
        return
    pyarrow, parquet = _parquet()
    parquet.write_table(pyarrow.table(rows(merged, agents)), path)


def merge(tasks: list[Arrays], episodes: int) -> Arrays:
    """Trajectories of several tasks as one, the first `episodes` of them; shorter tasks are filled up with zeros."""
    longest = max(len(task["acted"]) for task in tasks)
    merged = {}
    for name in TIMED:
        filled = [
            np.concatenate([task[name], np.zeros((longest - len(task[name]), *task[name].shape[1:]), task[name].dtype)])
            for task in tasks
        ]
        merged[name] = np.concatenate(filled, axis=1)[:, :episodes]
    return merged | {"lengths": np.concatenate([task["lengths"] for task in tasks])[:episodes]}


def rows(merged: Arrays, agents: list[str]) -> dict[str, Any]:
    """A column for each quantity, a row for each action taken: by episode, then step, then agent."""
    episode, step, agent = np.nonzero(merged["acted"].transpose(1, 0, 2))
    place = step, episode, agent
    return {
        "episode": episode,
        "step": step,
        "agent": [agents[number] for number in agent],
        "observation": list(merged["observations"][place]),
        "action": list(merged["actions"][place]),
        "log_probability": merged["log_probabilities"][place],
        "individual_reward": merged["individual_rewards"][place],
        "team_reward": merged["team_rewards"][step, episode],
        "terminated": merged["terminated"][place],
        "truncated": merged["truncated"][place],
    }


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as fault:
        raise ConfigError("Parquet needs pyarrow: pip install 'chorus-marl[parquet]', or write .npz") from fault
    return pyarrow, parquet
