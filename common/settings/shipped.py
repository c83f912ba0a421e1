"""The configurations that come with the package: found by name, told apart by what they say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from chorus.common.errors import ConfigError
from chorus.common.settings.plain import read

SUFFIX = ".yaml"


@dataclass(frozen=True)
class Shipped:
    """One of them: its name, the environment that it is for, and the first sentence of its own words."""

    name: str
    spec: str
    about: str


def folder() -> Path:
    """Where they lie: beside the package's modules, in a wheel as in the repository."""
    return Path(str(files("chorus"))) / "configs"


def every() -> list[Shipped]:
    """All of them by name.

    Raises:
        ConfigError: one cannot be read.
    """
    return [_shipped(path) for path in sorted(folder().glob(f"*{SUFFIX}"))]


def find(name: Path) -> Path:
    """The file that `--config NAME` means: that file, or else the included configuration of that name.

    Raises:
        ConfigError: there is neither.
    """
    if name.exists():
        return name
    known = {path.name.removesuffix(SUFFIX): path for path in sorted(folder().glob(f"*{SUFFIX}"))}
    if str(name) in known:
        return known[str(name)]
    near = get_close_matches(name.name.removesuffix(SUFFIX), known, n=1)
    hint = f"the nearest included one is {near[0]}" if near else "`chorus configs` lists the included ones"
    raise ConfigError(f"--config {name}: there is no such file; {hint}")


def suitable(spec: str) -> list[str]:
    """Names of the configurations for the same environment as `spec`, whatever its settings."""
    wanted = _bare(spec)
    return [config.name for config in every() if _bare(config.spec) == wanted]


def _bare(spec: str) -> str:
    return spec.partition("?")[0].strip()


def _shipped(path: Path) -> Shipped:
    words = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        words.append(line.lstrip("# ").strip())
    sentence, stop, _ = " ".join(words).partition(". ")
    spec = read(path).get("environment", {}).get("spec", "")
    return Shipped(path.name.removesuffix(SUFFIX), str(spec), f"{sentence}{stop}".strip().rstrip("."))
