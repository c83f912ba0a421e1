"""What outlives what: breadcrumbs outlive actors, nothing outlives a command."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap

import pytest

from chorus.common.process import breadcrumb, child_processes
from chorus.common.process.breadcrumb import Breadcrumb
from chorus.common.tasks.task import Purpose, Task


def python(code: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False, **more
    )


def test_a_breadcrumb_outlives_whoever_left_it() -> None:
    with tempfile.TemporaryFile() as crumb:
        assert breadcrumb.found(crumb.fileno()) is None
        code = f"""
            import os
            from chorus.common.process.breadcrumb import Breadcrumb
            from chorus.common.tasks.task import Purpose, Task
            left = Breadcrumb({crumb.fileno()})
            left.at(Task(123456, Purpose.EVALUATION, 77))
            left.at(Task(5, Purpose.TRAINING, 4))
            os._exit(9)
        """
        assert python(code, pass_fds=(crumb.fileno(),)).returncode == 9
        assert breadcrumb.found(crumb.fileno()) == Task(5, Purpose.TRAINING, 4)
        Breadcrumb(crumb.fileno()).at(None)
        assert breadcrumb.found(crumb.fileno()) is None
    Breadcrumb().at(Task(5, Purpose.TRAINING, 4))


LEFT = {
    "a thread": ("threading.Thread(target=threading.Event().wait, name='heartbeat').start()", "heartbeat"),
    "a timer": ("threading.Timer(1000, print).start()", "Thread-1"),
    "a process": ("subprocess.Popen(['sleep', '1000'])", "1 processes"),
    "a pool's worker": (
        "concurrent.futures.ThreadPoolExecutor(thread_name_prefix='pool').submit(threading.Event().wait)",
        "pool_0",
    ),
}


@pytest.mark.parametrize("kind", LEFT)
def test_a_command_ends_with_its_code_whatever_is_left_and_names_it(kind: str) -> None:
    leave, named = LEFT[kind]
    ended = python(
        f"""
        import concurrent.futures, subprocess, sys, threading
        from chorus.common.process.exiting import leave
        {leave}
        print("done")
        sys.exit(leave(3))
        """
    )
    assert (ended.returncode, ended.stdout) == (3, "done\n")
    assert named in ended.stderr and "still running" in ended.stderr


def test_a_function_of_atexit_that_does_not_return_keeps_no_command() -> None:
    ended = python(
        """
        import atexit, sys, threading
        from chorus.common.process import exiting
        exiting.AT_EXIT_SECONDS = 0.5
        atexit.register(threading.Event().wait)
        print("done")
        sys.exit(exiting.leave(3))
        """
    )
    assert (ended.returncode, ended.stdout) == (3, "done\n")
    assert "atexit" in ended.stderr and "close()" in ended.stderr


def test_a_command_that_leaves_nothing_says_nothing() -> None:
    ended = python(
        """
        import sys, threading, time
        from chorus.common.process.exiting import leave
        threading.Thread(target=time.sleep, args=(0.05,)).start()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        sys.exit(leave(0))
        """
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_descendants_are_found_and_ended_to_the_last() -> None:
    parent = subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000 & echo; wait"], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        below = child_processes.descendants(parent.pid)
        assert len(below) == 2 and parent.pid in child_processes.descendants(os.getpid())
        assert child_processes.end_descendants(parent.pid) == 2
        parent.wait(10)
        assert not child_processes.end(parent.pid)
    finally:
        parent.kill()
        parent.communicate()


@pytest.mark.parametrize(
    ("code", "told"),
    [(0, "exit code 0"), (-11, "SIGSEGV"), (139, "exit code 139, as after SIGSEGV"), (70, "exit code 70"), (-64, "RT")],
)
def test_exit_codes_are_told_in_words(code: int, told: str) -> None:
    assert told in child_processes.ended_how(code)
