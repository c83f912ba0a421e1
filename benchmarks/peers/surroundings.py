"""Each peer's own Python environment, made once for the exact versions that it needs, in a folder for caches."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"
STAMP = "complete"


class Unavailable(Exception):
    """A peer that cannot be installed, or does not run, here; the message says why in one line."""


def script(peer: str) -> Path:
    """What runs the peer."""
    return SCRIPTS / f"{peer}.py"


def requirements(peer: str) -> Path:
    """The exact versions that it needs."""
    return SCRIPTS / f"{peer}.txt"


def default_cache() -> Path:
    """Where environments are kept unless one says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chorus" / "peers"


def interpreter(peer: str, cache: Path) -> Path:
    """The Python of a peer's environment, which is made if there is none of exactly these versions.

    Raises:
        Unavailable: an installation that failed; what was made of it is removed.
    """
    digest = hashlib.sha256(requirements(peer).read_bytes()).hexdigest()[:12]
    folder = cache / f"{peer}-{digest}"
    python = folder / "bin" / "python"
    if (folder / STAMP).exists():
        return python
    print(f"installing {peer} into {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements(peer))],
    )
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise Unavailable(f"does not install: {last_line(done.stdout)}")
    (folder / STAMP).touch()
    return python


def last_line(text: str) -> str:
    """The last line that says anything."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was printed"
