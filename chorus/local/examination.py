"""Examines an environment in a process of its own: a crash or a hang there is reported like any other fault.

`python -m chorus.local.examination SPEC EPISODES SEED STEPS PROOF INSTANCES` is that process; it says what it is at,
and at last what it found, as lines of JSON on its standard output. What the environment prints goes to its
standard error.
"""

from __future__ import annotations

import faulthandler
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

from chorus.common.environments import progress
from chorus.common.environments.checks.examination import Examination, examine
from chorus.common.environments.checks.finding import Finding, Verdict
from chorus.common.environments.checks.purity import Level
from chorus.common.process import arithmetic, child_processes, exiting, program

LAST_LINES = 12
LAST_SECONDS = 2.0


def examine_in_process(
    spec: str,
    *,
    episodes: int,
    seed: int,
    steps: int,
    level: Level,
    instances: int | None,
    patience: float,
    tell: Callable[[str], None] = lambda what: None,
) -> Examination:
    """Examine an environment as `examine` does, in another process; `tell` hears what is being done.

    `patience`: seconds without a sign of life that count as hanging.
    """
    arguments = (spec, episodes, seed, steps, level, instances or 0)
    with tempfile.TemporaryFile() as prints:
        process = subprocess.Popen(
            program.module_command("chorus.local.examination", *arguments),
            env=program.surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=prints,
            text=True,
        )
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, lines), name="examination", daemon=True)
        reader.start()
        found: dict[str, Any] = {}
        try:
            while (line := lines.get(timeout=patience)) is not None:
                said = json.loads(line)
                if "what" in said:
                    tell(said["what"])
                else:
                    found = said
        except queue.Empty:
            return _ended(spec, f"hung: nothing moved for {patience:.0f} s", *_end(process, prints))
        finally:
            code, words = _end(process, prints, told=bool(found))
            reader.join()
            process.stdout.close()
        if not found:
            return _ended(spec, "its process ended of itself", code, words)
        printed = _printed(prints)
    findings = [Finding(**finding | {"verdict": Verdict(finding["verdict"])}) for finding in found["findings"]]
    if printed:
        text = f"{len(printed)} lines, the first: {printed[0][:100]}"
        findings.append(Finding("prints", text, Verdict.NOTE, "runs keep it apart, in prints.log"))
    if code == -signal.SIGKILL:
        text = f"what was registered with atexit had not ended {LAST_SECONDS:g} s after close()"
        findings.append(Finding("left behind", text, Verdict.NOTE, "do such work in close()"))
    return Examination(spec, tuple(findings), found["digest"], found["reproducible"], found["at_once"])


def _read(pipe: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str], prints: IO[bytes], told: bool = False) -> tuple[int, list[str]]:
    """End what is left of the process, which says where it is if it hangs before it has told all.

    Returns:
        its exit code, and its last lines.
    """
    children = child_processes.descendants(process.pid) if process.poll() is None else []
    try:
        process.wait(LAST_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL if told else signal.SIGABRT)
        try:
            process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child_processes.end(child)
    return process.returncode, _printed(prints)[-LAST_LINES:]


def _printed(prints: IO[bytes]) -> list[str]:
    prints.seek(0)
    return prints.read().decode(errors="replace").splitlines()


def _ended(spec: str, what: str, code: int, words: list[str]) -> Examination:
    said = "; printed last:\n" + "\n".join(words) if words else ""
    finding = Finding(
        "crash",
        f"{what} ({child_processes.ended_how(code)}){said}",
        Verdict.FAULT,
        "mend it; or, where it happens only now and then, train with environment.isolation=process",
    )
    return Examination(spec, (finding,))


def main(arguments: list[str]) -> None:
    """The other process."""
    spec, episodes, seed, steps, level, instances = arguments
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for this process ends it

    def say(what: dict[str, Any]) -> None:
        print(json.dumps(what), file=answers)

    with progress.heard_by(lambda what: say({"what": what})):
        found = examine(
            spec,
            episodes=int(episodes),
            seed=int(seed),
            steps=int(steps),
            level=level,  # type: ignore[arg-type]  # argparse has seen to it
            instances=int(instances) or None,
        )
    findings = [asdict(finding) | {"verdict": finding.verdict.value} for finding in found.findings]
    findings += [_left_thread(*named) for named in Counter(thread.name for thread in exiting.left_behind()).items()]
    say({"findings": findings, "digest": found.digest, "reproducible": found.reproducible, "at_once": found.at_once})
    answers.close()
    exiting.leave(0)


def _left_thread(name: str, count: int) -> dict[str, Any]:
    finding = Finding(
        "left behind",
        f"{count} threads {name!r} were still running after close()"
        if count > 1
        else f"the thread {name!r} was still running after close()",
        Verdict.NOTE,
        "end it in close(), or make it a daemon; Chorus ends its processes without waiting for it",
    )
    return asdict(finding) | {"verdict": finding.verdict.value}


if __name__ == "__main__":
    program.look_there_too()
    arithmetic.pin()
    main(sys.argv[1:])
