"""A process that does one job after another, alone and in one thread: a line of JSON in, a line of JSON out.

A job names a function of a module and its arguments: `{"call": "chorus.studies.run:curve", "arguments": {...}}`.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from typing import Any

from chorus.common.process import arithmetic
from chorus.common.process.allocator import keep_freed_memory


def do(job: dict[str, Any]) -> Any:
    """Call the function that a job names; what it returns must be plain JSON values."""
    module, _, name = job["call"].partition(":")
    return getattr(importlib.import_module(module), name)(**job["arguments"])


def main() -> None:
    """Read jobs until there are no more."""
    arithmetic.pin()
    import torch

    torch.set_num_threads(1)
    keep_freed_memory()
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            reply = {"result": do(json.loads(line))}
        except Exception:  # the crew raises it again, in the process that a person sees
            reply = {"fault": traceback.format_exc()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
