"""Writes the locks beside it: for each set of extras in pyproject.toml, every package that pip would install, exactly.

`make lock` runs it. The largest set is resolved first and holds the others to its versions, so that an actor's machine,
a learner's and a developer's never differ in a package that they share.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCKS = {"dev": "[dev]", "learner": "[learner]", "actor": ""}
# What torch's builds for a GPU ask for. They are left out: pip adds them, in the versions that torch names, where such
# a build is what it installs, and a machine without a GPU is spared gigabytes.
GPU_ONLY = re.compile(r"nvidia-|cuda-|triton$")


def resolve(extras: str, constraints: Path | None) -> dict[str, str]:
    """Name → version of all that `pip install chorus-marl[extras]` would install into an empty environment."""
    hold = ["--constraint", str(constraints)] if constraints else []
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq"]
    report = [*pip, "install", "--dry-run", "--ignore-installed", "--report", "-", *hold, f"{HERE.parent}{extras}"]
    answer = json.loads(subprocess.run(report, check=True, stdout=subprocess.PIPE).stdout)
    found = {item["metadata"]["name"]: item["metadata"]["version"] for item in answer["install"]}
    return {name: version.split("+")[0] for name, version in found.items() if name != "chorus-marl"}


def main() -> None:
    """Resolve and write every lock."""
    for lock, extras in LOCKS.items():
        path = HERE / f"{lock}.txt"
        found = resolve(extras, None if lock == "dev" else HERE / "dev.txt")
        pins = [f"{name}=={found[name]}\n" for name in sorted(found, key=str.lower) if not GPU_ONLY.match(name.lower())]
        header = f"# All that chorus-marl{extras} needs, exactly. Made by `make lock` from pyproject.toml.\n"
        path.write_text(header + "".join(pins))
        print(f"{path.name}: {len(pins)} packages")


if __name__ == "__main__":
    main()
