"""Exported policies, run as those who took them home run them: without a line of Chorus."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

Arrays = dict[str, Any]


@dataclass
class Exported:
    """A policy's file: what it says of itself, a step of it, and what its rows remember."""

    about: dict[str, Any]
    run: Callable[[Arrays], Arrays]
    state: Arrays = field(default_factory=dict)

    def begin(self, rows: int) -> None:
        """Empty memories, by what the metadata says there is."""
        given = ("observation", "agent")
        told = {name: value["shape"] for name, value in self.about["inputs"].items() if name not in given}
        self.state = {name: np.zeros((rows, shape[1]), np.float32) for name, shape in told.items()}

    def step(self, observations: Any, members: Any) -> Any:
        """Logits or means `[row, number]`; `members` are the rows' places among the policy's agents."""
        given = {"observation": observations, **self.state}
        if "agent" in self.about["inputs"]:
            given["agent"] = np.asarray(members, np.int64)
        said = self.run(given)
        assert list(said) == list(self.about["outputs"])
        assert {f"next_{name}" for name in self.state} == {name for name in said if name.startswith("next_")}
        self.state = {name: said[f"next_{name}"] for name in self.state}
        return said["logits"] if "logits" in said else said["mean"]


def open_onnx(path: Path) -> Exported:
    """By onnxruntime."""
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_outputs()]
    about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    declared = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
    told = {name: value["shape"] for name, value in (about["inputs"] | about["outputs"]).items()}
    assert declared == told, "the metadata's names and shapes are the graph's"
    return Exported(about, lambda inputs: dict(zip(names, session.run(names, inputs), strict=True)))


def open_torchscript(path: Path) -> Exported:
    """By torch."""
    files = {"chorus.json": ""}
    module = torch.jit.load(path, _extra_files=files)  # type: ignore[no-untyped-call]
    about = json.loads(files["chorus.json"])

    def run(inputs: Arrays) -> Arrays:
        with torch.no_grad():
            said = module(*(torch.from_numpy(inputs[name]) for name in about["inputs"]))
        return dict(zip(about["outputs"], (value.numpy() for value in said), strict=True))

    return Exported(about, run)
