"""Exports a policy as one file that acts without Chorus."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from chorus.common.errors import ChorusError, ConfigError
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.formats.model import describe
from chorus.learner.storage.run_folder import read_config
from chorus.runs.weights import environment_spec, newest_policy

FORMATS = {
    # format: the module that writes it, how its files are called, what to install for it
    "onnx": ("chorus.formats.onnx", ".onnx", "'chorus-marl[onnx]'"),
    "torchscript": ("chorus.formats.torchscript", ".pt", "torch"),
    "safetensors": ("chorus.formats.safetensors", ".safetensors", "safetensors"),
}


def export(
    run: str | os.PathLike[str],
    format: str = "onnx",
    *,
    policy: str | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Path:
    """Write one policy of a run as a file that acts without Chorus.

    The recurrent state is passed in and out, zeros at the start of an agent's life. The inputs are `observation`
    float32 `[rows, observation]` (flattened; uint8 where it is bytes); `hidden` and `cell` float32 `[rows, unit]` if
    the policy has an LSTM (a GRU has `hidden` alone, further layers `hidden1` and so on, a network of your own
    `state`); and `agent` int64 `[rows]`, the index among its agents, if it sees agent ids. The outputs are `logits`
    `[rows, choice]`, components one after the other, or for continuous actions `mean` `[rows, component]` and `log_std`
    `[component]`, before they are squashed into the bounds; and `next_hidden`, `next_cell`. The file's metadata lists
    names and shapes, and how to compute an action from the outputs.

    Args:
        run: the run folder; its newest weights are taken.
        format: `onnx`, `torchscript` or `safetensors`.
        policy: its name, if the run has several.
        out: the file; None for `RUN/export/POLICY.onnx` (`.pt`, `.safetensors`).

    Returns:
        The file.

    Raises:
        ConfigError: there is no such format or policy.
        RunFolderError: the folder holds no run, or no weights yet.
        ChorusError: a package is missing, or the network is the user's own and the format TorchScript.
    """
    if format not in FORMATS:
        raise ConfigError(f"export: format is {format!r}; give one of {', '.join(FORMATS)}")
    folder = Path(run)
    config = read_config(folder)
    environment = environment_spec(folder)
    version = newest_policy(folder)
    chosen = _chosen(divide(environment, config.sharing, config.network), policy)
    model = describe(chosen, environment, version.tensors(), version.version)
    module, suffix, package = FORMATS[format]
    path = Path(out) if out is not None else folder / "export" / f"{chosen.name}{suffix}"
    try:
        writer = importlib.import_module(module)
    except ModuleNotFoundError as fault:
        raise ChorusError(
            f"export: {format} needs {fault.name}, which is not installed; pip install {package}"
        ) from fault
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.write(model, path)
    return path


def _chosen(policies: tuple[PolicySpec, ...], name: str | None) -> PolicySpec:
    names = ", ".join(policy.name for policy in policies)
    if name is None:
        if len(policies) > 1:
            raise ConfigError(f"export: the run has several policies, one a file; name one of {names}")
        return policies[0]
    for policy in policies:
        if policy.name == name:
            return policy
    raise ConfigError(f"export: there is no policy {name!r} in this run; it has {names}")
