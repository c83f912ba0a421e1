"""The process that plays: makes the environment, does what it is told, answers. It ends with its caller.

`python -m chorus.common.isolation.host SOCKET FAULTS SPEC RENDER`: two open files, and what to make.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from chorus.common.environments import make, progress
from chorus.common.environments.interface import Environment, Frame
from chorus.common.environments.user_errors import frames
from chorus.common.isolation.messages import Gone, Message, generator_of, receive, send, spec_values
from chorus.common.process.child_processes import end_descendants
from chorus.common.process.exiting import leave
from chorus.common.process.program import look_there_too

PR_SET_PDEATHSIG = 1
PAGE_BYTES = resource.getpagesize()


def main(arguments: list[str]) -> None:
    """Serve one caller until it is done or gone."""
    line = socket.socket(fileno=int(arguments[0]))
    faulthandler.enable(file=int(arguments[1]), all_threads=False)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment: Environment | None = None
    try:
        with progress.heard_by(lambda what: send(line, Message("progress", {"what": what}))):
            try:
                environment = make(arguments[2], render=arguments[3] == "True")
                send(line, Message("made", spec_values(environment.spec)))
            except BaseException as error:
                send(line, _raised(error))
                return
            _serve(line, environment)
    except Gone:
        pass
    finally:
        try:
            if environment is not None:
                environment.close()
        finally:
            end_descendants(os.getpid())


def _serve(line: socket.socket, environment: Environment) -> None:
    generator: Any = None
    while True:
        asked = receive(line)
        try:
            if asked.kind == "close":
                return
            if asked.kind == "reset":
                if asked.values["generator"] is not None:
                    generator = generator_of(asked.values["generator"])
                frame = environment.reset(asked.values["episodes"], generator)
                answer = Message("frame", {"resident": _resident()}, _frame(frame))
            elif asked.kind == "step":
                actions = asked.arrays["actions"]
                assert actions is not None
                outcome = environment.step(actions)
                arrays = {
                    name: getattr(outcome, name)
                    for name in ("rewards", "team_rewards", "terminated", "truncated", "over", "final_observations")
                }
                answer = Message("outcome", {}, arrays | _frame(outcome.frame))
            else:
                answer = Message("picture", {}, {"picture": environment.render()})
        except BaseException as error:
            answer = _raised(error)
        send(line, answer)


def _frame(frame: Frame) -> dict[str, Any]:
    return {"observations": frame.observations, "present": frame.present, "action_mask": frame.action_mask}


def _raised(error: BaseException) -> Message:
    return Message("raised", {"kind": type(error).__name__, "text": str(error), "frames": frames(error)})


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    look_there_too()
    main(sys.argv[1:])
    leave(0)
