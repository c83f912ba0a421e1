"""An environment in a process of its own, as `chorus.common.environments.interface.Environment` has it.

The same bits as without: the same code plays, from the same generator. A process that ended is started again at the
next `reset`, one that hangs is killed, and one that leaks is renewed between two tasks.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.environments import progress
from chorus.common.environments.interface import ActionArray, EnvironmentSpec, Frame, Outcome
from chorus.common.errors import EnvironmentFault
from chorus.common.isolation.messages import Gone, Message, read_spec, receive, send, state_of
from chorus.common.process import program
from chorus.common.process.child_processes import end, end_descendants, ended_how

LAST_SECONDS = 5.0
"""So long a process may take to close its environment, or to say where it hangs."""
LEAK_FACTOR, LEAK_BYTES = 2, 256 << 20
"""One that holds so many times what it held at its first reset of as many episodes, and so much more, is renewed."""


class Isolated:
    """Made at once; `close` ends its process and whatever that started."""

    def __init__(self, spec: str, patience: float, render: bool = False, prints: IO[str] | None = None) -> None:
        """Start the process and make the environment of this spec string in it.

        Args:
            spec: the spec string.
            patience: seconds without an answer, or a sign of progress, that count as hanging.
            render: whether pictures will be asked for.
            prints: where what it prints goes; None for this process's own outputs.

        Raises:
            EnvironmentFault: it cannot be made, or its process ended or hung.
        """
        self._name = spec
        self._patience = patience
        self._render = render
        self._prints = prints
        self._host: _Host | None = None
        self._generator: np.random.Generator | None = None
        self._held: dict[int, int] = {}
        self._leaks = False
        try:
            self._spec = read_spec(self._started().values)
        except BaseException:
            self.close()
            raise

    @property
    def spec(self) -> EnvironmentSpec:
        """That of the environment inside."""
        return self._spec

    @property
    def pid(self) -> int | None:
        """Of the running process; None if there is none now."""
        return None if self._host is None else self._host.process.pid

    def reset(self, episodes: int, generator: np.random.Generator) -> Frame:
        """Begin K episodes, in a new process if the last one is gone or holds too much."""
        if self._leaks:
            self.close()
        if self._host is None:
            self._started()
        goes_on = generator is self._generator
        self._generator = generator
        state = None if goes_on else state_of(generator)
        answer = self._ask(Message("reset", {"episodes": episodes, "generator": state}))
        resident = answer.values["resident"]
        least = self._held.setdefault(episodes, resident)
        self._leaks = resident > LEAK_FACTOR * least + LEAK_BYTES
        return _frame(answer)

    def step(self, actions: ActionArray) -> Outcome:
        """A step of the environment inside."""
        if self._host is None:
            raise EnvironmentFault(f"environment {self._name!r}: step before reset; call reset first")
        answer = self._ask(Message("step", {}, {"actions": actions}))
        arrays: Any = answer.arrays
        return Outcome(
            rewards=arrays["rewards"],
            team_rewards=arrays["team_rewards"],
            terminated=arrays["terminated"],
            truncated=arrays["truncated"],
            over=arrays["over"],
            frame=_frame(answer),
            final_observations=arrays.get("final_observations"),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """The picture of the environment inside."""
        return None if self._host is None else self._ask(Message("picture")).arrays.get("picture")

    def close(self) -> None:
        """Have the environment closed, and end its process and what that started."""
        host, self._host = self._host, None
        self._generator, self._held, self._leaks = None, {}, False
        if host is not None:
            host.close()

    def _started(self) -> Message:
        self._host = _Host(self._name, self._render, self._prints)
        return self._ask(None)

    def _ask(self, message: Message | None) -> Message:
        """Send a message, if there is one, and wait for the answer; a process that gives none is ended."""
        host = self._host
        assert host is not None
        try:
            if message is not None:
                send(host.line, message)
            answer = receive(host.line, self._patience)
            while answer.kind == "progress":
                progress.tell(str(answer.values["what"]))
                answer = receive(host.line, self._patience)
        except TimeoutError:
            words = self._end_of(host, hangs=True)[1]
            raise EnvironmentFault(
                f"environment {self._name!r}: hung: no answer from its process for {self._patience:.0f} s{words}"
            ) from None
        except Gone:
            how, words = self._end_of(host, hangs=False)
            raise EnvironmentFault(f"environment {self._name!r}: its process ended of itself: {how}{words}") from None
        if answer.kind == "raised":
            raise EnvironmentFault(_told(self._name, answer.values))
        return answer

    def _end_of(self, host: _Host, hangs: bool) -> tuple[str, str]:
        """End what is left of a process; how it ended, and where its code was."""
        self._host, self._generator, self._held, self._leaks = None, None, {}, False
        code, stack = host.end(hangs)
        return ended_how(code), f"\n{stack}" if stack else ""


class _Host:
    """The process, and the two files that it shares with this one."""

    def __init__(self, spec: str, render: bool, prints: IO[str] | None) -> None:
        self.line, theirs = socket.socketpair()
        self._faults: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        shared = theirs.fileno(), self._faults.fileno()
        with theirs:
            self.process = subprocess.Popen(
                program.module_command("chorus.common.isolation.host", *shared, spec, render),
                env=program.surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=prints,
                stderr=prints,
                pass_fds=shared,
            )

    def close(self) -> None:
        """End it kindly; by force if it takes too long."""
        try:
            send(self.line, Message("close"))
            self.process.wait(LAST_SECONDS)
        except (Gone, subprocess.TimeoutExpired):
            end_descendants(self.process.pid)
        self.end(hangs=False)

    def end(self, hangs: bool) -> tuple[int, str]:
        """End it at once, after it said where it hangs; return its exit code and what it said."""
        try:
            if hangs:
                self.process.send_signal(signal.SIGABRT)
            code = self.process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            end_descendants(self.process.pid)
            end(self.process.pid)
            code = self.process.wait()
        self.line.close()
        with self._faults as faults:
            faults.seek(0)
            return code, faults.read().decode(errors="replace").strip()


def _frame(answer: Message) -> Frame:
    arrays: Any = answer.arrays
    return Frame(arrays["observations"], arrays["present"], arrays.get("action_mask"))


def _told(name: str, raised: dict[str, Any]) -> str:
    if raised["kind"] == "EnvironmentFault":
        return str(raised["text"])
    return f"environment {name!r}: raised {raised['kind']}: {raised['text']}\n{raised['frames']}"
