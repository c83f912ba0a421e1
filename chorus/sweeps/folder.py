"""A sweep on disk: what it is, who works on it, and which of its runs are done.

sweep.yaml       the plan, whole
search.yaml      which combinations a search has chosen so far, in order
configs/         the settings of each run
NAME/            a run folder for each run
output/          what each run had to say
report.html      at the end
lock             held by the sweep at work; shared by those that do one run each of it (a cluster's array)
"""

from __future__ import annotations

import fcntl
import math
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from chorus.common.errors import ConfigError, RunFolderError
from chorus.common.page.run_story import RunStory, final_return
from chorus.common.settings.plain import differences, read, text
from chorus.runs.weights import is_complete
from chorus.sweeps.plan import Plan, Trial
from chorus.sweeps.search import Choice


class SweepFolder:
    """A sweep's folder, locked while the `with` block lasts."""

    def __init__(self, path: Path, plan: Plan, shared: bool = False) -> None:
        """Make the folder if need be, and lock it; `shared` lets others in who do one run each too.

        Raises:
            RunFolderError: another sweep is at work here, or it cannot be made.
            ConfigError: it holds another sweep; says what differs.
        """
        self.path = path
        try:
            for part in ("configs", "output"):
                (path / part).mkdir(parents=True, exist_ok=True)
            self._lock = (path / "lock").open("a+")  # a shared lock over NFS needs it open for reading too
        except OSError as fault:
            raise RunFolderError(f"{path}: {fault.strerror or fault}; choose another --out") from fault
        try:
            fcntl.flock(self._lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            self._begin(plan)
        except OSError as fault:
            self._lock.close()
            raise RunFolderError(
                f"{path}: another sweep is at work here; wait for it, stop it, or choose another --out"
            ) from fault
        except ConfigError:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def _begin(self, plan: Plan) -> None:
        path = self.path / "sweep.yaml"
        if path.exists():
            changed = differences(read(path), plan.plain())
            if changed:
                raise ConfigError(
                    f"{self.path} holds another sweep; what differs (there, here): {'; '.join(changed)}."
                    " Go on with the file that it was begun with, or choose another --out"
                )
            return
        _write(path, yaml.safe_dump(plan.plain(), sort_keys=False))

    def run(self, trial: Trial) -> Path:
        """A trial's run folder."""
        return self.path / trial.name

    def output(self, trial: Trial) -> Path:
        """The file for what a trial's process has to say."""
        return self.path / "output" / f"{trial.name}.txt"

    def config(self, trial: Trial) -> Path:
        """The file of a trial's settings, written."""
        path = self.path / "configs" / f"{trial.name}.yaml"
        _write(path, yaml.safe_dump(trial.settings, sort_keys=False))
        return path

    def choices(self) -> list[Choice]:
        """The combinations that a search has chosen so far, in order.

        Raises:
            ConfigError: the file that lists them cannot be read.
        """
        path = self.path / "search.yaml"
        return list(read(path)["chosen"]) if path.exists() else []

    def keep_choices(self, chosen: Sequence[Choice]) -> None:
        """Write down what a search has chosen so far: whatever happens, it goes on from these."""
        _write(self.path / "search.yaml", text({"chosen": list(chosen)}))

    def reached(self, trial: Trial) -> float:
        """What a trial's run reached; NaN if it is not done."""
        return final_return(RunStory(self.run(trial)).values()) if self.is_done(trial) else math.nan

    def is_done(self, trial: Trial) -> bool:
        """Whether a trial's run is complete: it is never begun again."""
        return (self.run(trial) / "config.yaml").exists() and is_complete(self.run(trial))


def _write(path: Path, text: str) -> None:
    """Whole or not at all, also when several do it at once."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
