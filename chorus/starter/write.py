"""Writes the files of `chorus init` into a folder, and never over a file that is there."""

from __future__ import annotations

from pathlib import Path

from chorus.common.errors import ChorusError
from chorus.starter import config

ENVIRONMENT = "my_team.py"
CONFIG = "config.yaml"


def write(folder: Path) -> int:
    """Write a configuration and an environment, and say what to do next.

    Raises:
        ChorusError: one of the files is there already; then none is written.
    """
    contents = {
        folder / CONFIG: config.text(),
        folder / ENVIRONMENT: Path(__file__).with_name(ENVIRONMENT).read_text(encoding="utf-8"),
    }
    present = [str(path) for path in contents if path.exists()]
    if present:
        raise ChorusError(f"{' and '.join(present)} would be overwritten: name another folder, or move what is there")
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        path.write_text(content, encoding="utf-8")
        print(f"wrote {path}")
    change_folder = f"cd {folder} && " if folder != Path() else ""
    print(f"\nNext:\n  {change_folder}chorus check-env my_team:MyTeam\n  chorus train --config {CONFIG}")
    return 0
