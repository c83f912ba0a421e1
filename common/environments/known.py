"""What the adapters may import without being asked twice: the families, packages and scenarios that Chorus names."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from chorus.common.environments.address import Address

_PETTINGZOO = re.compile(
    r"(mpe2|(pettingzoo\.)?(atari|butterfly|classic|sisl))\.[a-z0-9_]+_v[0-9]+"
    r"|(mpe2|atari|butterfly|classic|sisl)/[a-z0-9_-]+-v[0-9]+"
    r"|magent2\.environments\.[a-z0-9_]+_v[0-9]+"
)
_GYMNASIUM = re.compile(
    r"(lbforaging:)?Foraging-[A-Za-z0-9-]+-v[0-9]+|(rware:)?rware-[A-Za-z0-9-]+-v[0-9]+"
    r"|(CartPole|MountainCar|MountainCarContinuous|Acrobot|Pendulum)-v[0-9]+"
)
_ENVPOOL = re.compile(r"[A-Za-z0-9]+([/_-][A-Za-z0-9]+)*")
"""Names in EnvPool's own registry, which is all that its adapter looks in."""
_OVERCOOKED = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
"""Names of layouts; the adapter takes none but those that the package brings."""
_JAXMARL = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
"""Names in JaxMARL's own table, which is all that its adapter looks in."""


def is_known(address: Address) -> bool:
    """Whether an address of one of our kinds leads to what Chorus names itself; nothing is imported to find out."""
    if address.kind == "pettingzoo":
        return not address.target or bool(_PETTINGZOO.fullmatch(address.target))
    if address.kind in ("gymnasium", "gymnasium.vector"):
        return not address.target or bool(_GYMNASIUM.fullmatch(address.target))
    if address.kind == "envpool":
        return not address.target or bool(_ENVPOOL.fullmatch(address.target))
    if address.kind == "overcooked":
        return not address.target or bool(_OVERCOOKED.fullmatch(address.target))
    if address.kind == "jaxmarl":
        return not address.target or bool(_JAXMARL.fullmatch(address.target))
    if address.kind == "vmas":
        return not address.target or _is_scenario(address.target)
    return True


def _is_scenario(name: str) -> bool:
    """Whether VMAS brings a scenario of that name. Where VMAS is not installed any plain name will do: the adapter then
    says what to install, and imports nothing else."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        return False
    found = importlib.util.find_spec("vmas")
    if found is None or found.origin is None:
        return True
    scenarios = Path(found.origin).parent / "scenarios"
    return any(file.stem == name for file in scenarios.rglob("*.py"))
