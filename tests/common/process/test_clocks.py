"""Only monotonic clocks decide anything: a clock that somebody sets must never end a lease, a run or a stream."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("common", "actor", "learner", "chorus")
TELL_THE_TIME = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("time", "strftime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
}
MAY = {
    ("common/process/logs.py", "strftime"),  # when something happened, for people
    ("common/process/logs.py", "gmtime"),
    ("common/process/logs.py", "localtime"),
    ("chorus/local/greeting.py", "strftime"),  # the name of a new folder
    ("common/transport/expiry.py", "now"),  # whether a certificate still holds
    ("chorus/local/view.py", "time"),  # at what o'clock the run will end, for people
    ("chorus/local/view.py", "localtime"),
    ("chorus/local/view.py", "strftime"),
    ("chorus/runs/report.py", "strftime"),  # when a report was written
    ("chorus/trackers/mlflow.py", "time"),  # MLflow wants a date with every number
    ("chorus/fleet/certs.py", "now"),  # from when a certificate holds
}


def readings(source: str) -> set[str]:
    """The calls in a module that read the wall clock."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if (owner, node.attr) in TELL_THE_TIME:
                found.add(node.attr)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found |= {alias.name for alias in node.names} & {name for owner, name in TELL_THE_TIME if owner == "time"}
    return found


def test_a_reading_is_found() -> None:
    assert readings("import time\nnow = time.time()") == {"time"}
    assert readings("from time import time") == {"time"}
    assert readings("import datetime\nnow = datetime.datetime.now()") == {"now"}
    assert not readings("import time\nnow = time.monotonic()")


def test_nothing_reads_the_wall_clock_but_to_tell_the_time() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in readings(path.read_text())
    }
    assert found <= MAY
