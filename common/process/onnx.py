"""The one place that opens ONNX files: on one thread, and with what is missing named."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np

from chorus.common.errors import ConfigError

PROBE = "probe.onnx"


def open_session(model: bytes) -> Any:
    """An `onnxruntime.InferenceSession` of the model, which computes on the thread that calls it.

    Raises:
        ConfigError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as fault:
        raise ConfigError(
            f"network.module: the networks of this run's actors are ONNX files, and onnxruntime is not here ({fault});"
            " install chorus-marl[onnx]"
        ) from fault
    onnxruntime.disable_telemetry_events()  # some builds tell their maker of every session
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def arithmetic() -> dict[str, str]:
    """How onnxruntime's arithmetic comes out here, for the fingerprint: its version, and a digest of the probe.

    onnxruntime chooses its kernels by the processor and cannot be told otherwise, so unlike processors may be refused.
    """
    session = open_session((files(__package__) / PROBE).read_bytes())
    hashed = hashlib.sha256()
    draws = np.random.Generator(np.random.Philox(key=[0, 0]))
    shapes = {item.name: item.shape for item in session.get_inputs()}
    weights = {
        name: draws.uniform(-0.5, 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
        if name not in ("inputs", "state")
    }
    for rows in (1, 3, 24, 96):
        fed = {
            name: draws.uniform(-1.0, 1.0, (rows, shapes[name][1])).astype(np.float32) for name in ("inputs", "state")
        }
        for part in session.run(None, fed | weights):
            hashed.update(part.tobytes())
    return {"onnxruntime": version("onnxruntime"), "onnx digest": hashed.hexdigest()[:32]}
