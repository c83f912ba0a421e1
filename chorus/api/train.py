"""Training from Python: `chorus.train(...)` returns the run, `chorus.training(...)` tells of every update.

Both run the command `chorus train` in a process of its own (`trainer.py` says why), so that the weights are those of
the command, byte for byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chorus.api.callbacks import Listener, Progress, as_callbacks
from chorus.api.command import folder
from chorus.api.environments import resolve
from chorus.api.run import Run
from chorus.api.trainer import Trainer
from chorus.common.errors import ConfigError
from chorus.common.settings import config as configuration
from chorus.common.settings.plain import read

Path_ = str | os.PathLike[str]


def train(
    env: str | None = None,
    *,
    updates: int | None = None,
    seed: int | None = None,
    actors: int | None = None,
    out: Path_ | None = None,
    config: Path_ | None = None,
    settings: Mapping[str, Any] | None = None,
    init_from: Path_ | None = None,
    pictures: bool = False,
    callbacks: Sequence[Listener] = (),
) -> Run:
    """Train to the last update: a learner and its actors on this machine, as `chorus train` does.

    What is left out has the command's default. If the run folder holds this run already, training continues.

    Args:
        env: `spread?agents=3`, `pettingzoo:NAME?key=value`, `package.module:function`, or a name from `register_env`.
        updates: how many in all.
        seed: of every random number in the run.
        actors: actor processes; None for one per core.
        out: the run folder; None for `runs/ENVIRONMENT-DATE-TIME`.
        config: a YAML file of settings.
        settings: any others, by name (`{"loss.entropy": 0.02}`) or by section (`{"loss": {"entropy": 0.02}}`).
        init_from: a run folder whose final weights to start from.
        pictures: whether to draw `curve.png` and `episode.gif` at the end.
        callbacks: called at the start, after every update and at the end; a plain function is called after every
            update (`[print]`).

    Returns:
        The run, complete.

    Raises:
        ChorusError: what the command would complain of; `ConfigError` for a wrong setting, `EnvironmentFault`,
            `RunFolderError`, `TrainingFault`.
        KeyboardInterrupt: after Ctrl-C, after the present update, with a checkpoint. The same call with the same
            `out` continues from there.
    """
    listeners = as_callbacks(callbacks)
    arguments = _arguments(env, updates, seed, actors, out, config, settings, init_from, pictures)
    with ExitStack() as ends, Trainer(arguments) as trainer:
        try:
            run = trainer.started()
            for listener in listeners:
                ends.callback(listener.on_end, run)
                listener.on_start(run)
            for progress in trainer.updates():
                for listener in listeners:
                    listener.on_update(progress)
        except KeyboardInterrupt:
            trainer.stop()
            raise KeyboardInterrupt(_stopped(trainer.run)) from None
    return run


def training(
    env: str | None = None,
    *,
    updates: int | None = None,
    seed: int | None = None,
    actors: int | None = None,
    out: Path_ | None = None,
    config: Path_ | None = None,
    settings: Mapping[str, Any] | None = None,
    init_from: Path_ | None = None,
    pictures: bool = False,
) -> Iterator[Progress]:
    """The same, update by update: `for progress in chorus.training(...)`.

    Training starts with the first `next` and does not wait for the loop. Leaving the loop (by `break`, by an exception,
    by `close()`) stops it after the present update, with a checkpoint.

    Args and errors: see `train`. A wrong setting is refused at once, before the loop begins.
    """
    return _follow(_arguments(env, updates, seed, actors, out, config, settings, init_from, pictures))


def _follow(arguments: list[str]) -> Iterator[Progress]:
    with Trainer(arguments) as trainer:
        trainer.started()
        yield from trainer.updates()


def _stopped(run: Run | None) -> str:
    return (
        f"training stopped; with out={str(run.path)!r} the same call continues"
        if run
        else "training was stopped before it had started"
    )


def _arguments(
    env: str | None,
    updates: int | None,
    seed: int | None,
    actors: int | None,
    out: Path_ | None,
    config: Path_ | None,
    settings: Mapping[str, Any] | None,
    init_from: Path_ | None,
    pictures: bool,
) -> list[str]:
    """The command line of `chorus train`; its settings are checked here already."""
    if actors is not None and actors < 1:
        raise ConfigError(f"actors is {actors}: give at least 1, or None for one per core")
    base = read(Path(config)) if config is not None else {}
    base.pop("run", None)
    given = _flat(settings or {})
    given |= {
        name: value
        for name, value in (("environment.spec", env), ("updates", updates), ("seed", seed))
        if value is not None
    }
    given = {name: _plain(name, value) for name, value in given.items()}
    merged = _merged(base, given)
    configuration.check(merged)
    spec = merged.get("environment", {}).get("spec")
    if isinstance(spec, str):
        given["environment.spec"] = resolve(spec)
    arguments = [] if config is None else ["--config", folder(config)]
    for name, value in given.items():
        arguments += ["--set", f"{name}={json.dumps(value, ensure_ascii=False)}"]
    if out is not None:
        arguments += ["--out", folder(out)]
    if init_from is not None:
        arguments += ["--init-from", folder(init_from)]
    if actors is not None:
        arguments += ["--actors", str(actors)]
    return arguments if pictures else [*arguments, "--no-pictures"]


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Sections taken apart, down to the settings: `{"loss": {"entropy": 0}}` becomes `{"loss.entropy": 0}`."""
    sections = configuration.sections()
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if name in sections and isinstance(value, Mapping):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
        else:
            flat[name] = value
    return flat


def _merged(base: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a file with others in place of some of them; `base` is changed."""
    for name, value in given.items():
        *sections, key = name.split(".")
        place = base
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ConfigError(f"settings: {name!r} descends into {section!r}, which is a value and no section")
        place[key] = value
    return base


def _plain(name: str, value: Any) -> Any:
    """A value as JSON can hold it: NumPy's numbers become Python's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(name, part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, part) for part in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(f"settings: {name} is a {type(value).__name__}; give numbers, strings, lists or mappings")
