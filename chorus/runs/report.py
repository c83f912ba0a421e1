"""`chorus report RUN [RUN …] --out FILE`: the page of one run, or of several side by side, frozen into one file."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.page.document import document
from chorus.common.page.run_story import RunStory
from chorus.common.process.fingerprint import chorus_version
from chorus.runs.weights import newest_policy
from chorus.evaluation.film import film
from chorus.learner.storage.run_folder import read_config
from chorus.runs.comparison import compare, grouped, read_runs

Film = dict[str, str]


def report(folders: Sequence[Path], out: Path, title: str = "", films: bool = True) -> Path:
    """Write one self-contained HTML file; return it.

    Args:
        folders: run folders, or folders of runs such as a sweep makes.
        out: the file.
        title: of the page; empty for one made of the runs.
        films: film an episode of the trained team (of the best group) and of the untrained one.

    Raises:
        ConfigError: a folder holds no run.
        OSError: the file cannot be written.
    """
    runs = expand(folders)
    if len(runs) == 1:
        story = RunStory(runs[0])
        told = story.tell()
        shown = films_of(runs[0]) if films and story.values() else []
        data: dict[str, Any] = {"kind": "run", "run": told | {"films": shown}}
        title = title or f"{told['environment']}: {told['name']}"
    else:
        read = read_runs(runs)
        title = title or f"{len(read)} runs of {', '.join(sorted({run.story['environment'] for run in read}))}"
        best = next((run for run in grouped(read)[0].runs if run.values), None)
        data = compare(read) | {
            "title": title,
            "about": ", ".join(str(folder) for folder in folders),
            "films": films_of(best.path) if films and best else [],
            "made": f"Made by Chorus {chorus_version()} on {time.strftime('%Y-%m-%d %H:%M')}",
        }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(document(title, data).html)
    return out


def expand(folders: Sequence[Path]) -> list[Path]:
    """Run folders as they are; a folder of runs as its runs, by name.

    Raises:
        ConfigError: a folder is neither.
    """
    found: list[Path] = []
    for folder in folders:
        inside = sorted(path.parent for path in folder.glob("*/config.yaml"))
        if (folder / "config.yaml").exists():
            found.append(folder)
        elif inside:
            found.extend(inside)
        else:
            raise ConfigError(f"{folder} is neither a run folder (config.yaml) nor a folder of such")
    return found


def films_of(run: Path) -> list[Film]:
    """An episode of the trained team and, beside it, of the team that it began as; none where there are no pictures."""
    config = read_config(run)
    made: list[Film] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.gif"
        try:
            policy = newest_policy(run)
        except RunFolderError:
            return []
        sides: list[tuple[str, str | None]] = [(f"trained, after {policy.version} updates", None)]
        if not config.initial_weights:
            sides.append(("untrained", "*"))
        for name, untrained in sides:
            if film(config, policy, path, config.seed, untrained=untrained):
                coded = base64.b64encode(path.read_bytes()).decode()
                made.append({"name": name, "source": f"data:image/gif;base64,{coded}"})
    return made


