"""Which spec string leads to which environment. Nothing heavy is imported before it is asked for."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import cast

from chorus.common.environments.address import Address, nearest, parse
from chorus.common.environments.interface import Environment
from chorus.common.environments.user_errors import made_badly
from chorus.common.errors import EnvironmentFault

_BUILT_IN = {"spread": "chorus.common.environments.spread"}
_ADAPTERS = {
    "pettingzoo": "chorus.common.environments.adapters.pettingzoo",
    "gymnasium": "chorus.common.environments.adapters.gymnasium",
    "gymnasium.vector": "chorus.common.environments.adapters.gymnasium_vector",
    "envpool": "chorus.common.environments.adapters.envpool",
    "overcooked": "chorus.common.environments.adapters.overcooked",
    "vmas": "chorus.common.environments.adapters.vmas",
    "jaxmarl": "chorus.common.environments.adapters.jaxmarl",
}
_ELSEWHERE = (
    (r"simple(_\w+)?_v\d+", "pettingzoo:mpe2.{}"),
    (r"\w+_v\d+", "pettingzoo:FAMILY.{}, the family being one of atari, butterfly, classic, mpe2, sisl"),
    (r".+-v\d+", "gymnasium:{}"),
)
"""How names of other libraries look, and how they are written here."""
_OWN = "chorus.common.environments.adapters.factory"


def make(spec: str, *, render: bool = False) -> Environment:
    """Make the environment that a spec string names.

    Args:
        spec: `spread?agents=3`, `pettingzoo:mpe2.simple_spread_v3?N=3`, `gymnasium:Foraging-8x8-2p-3f-v3`,
            `vmas:navigation?n_agents=3`, or `package.module:factory?key=value` for a user's own.
        render: whether `Environment.render` will be called; some environments can only draw when told beforehand.

    Raises:
        EnvironmentFault: says what is wrong with the spec string, or what to install, or what the environment's own
            code raised.
    """
    address = parse(spec)
    module = importlib.import_module(_room(address))
    try:
        return cast("Callable[[Address, bool], Environment]", module.make)(address, render)
    except BaseException as error:
        fault = made_badly(error, spec)
        raise fault from fault.__cause__


def is_built_in(spec: str) -> bool:
    """Whether a spec string names an environment that Chorus itself consists of."""
    return parse(spec).kind in _BUILT_IN


def is_ours(address: Address) -> bool:
    """Whether an address leads to a built-in environment or adapter, rather than to a factory of someone's own."""
    return address.kind in _BUILT_IN or address.kind in _ADAPTERS or not address.target


def _room(address: Address) -> str:
    """The module whose `make(address, render)` knows this kind of environment."""
    kind, target = address.kind, address.target
    if kind.endswith(".py"):
        module = kind.removesuffix(".py").strip("./").replace("/", ".")
        raise EnvironmentFault(
            f"environment {address.spec!r}: a module is named as Python imports it;"
            f" write {module}:{target or 'FACTORY'}"
        )
    if kind in _BUILT_IN:
        if target:
            raise EnvironmentFault(
                f"environment {address.spec!r}: {kind!r} is built in and takes nothing after a colon; "
                f"write its settings as {kind}?key=value"
            )
        return _BUILT_IN[kind]
    if kind in _ADAPTERS:
        if not target:
            raise EnvironmentFault(
                f"environment {address.spec!r}: {kind!r} needs to know which environment; write {kind}:NAME?key=value"
            )
        return _ADAPTERS[kind]
    if target:
        return _OWN
    for pattern, written in _ELSEWHERE:
        if re.fullmatch(pattern, kind):
            raise EnvironmentFault(
                f"environment {address.spec!r}: there is no built-in environment {kind!r}; "
                f"write {written.format(address.spec)}"
            )
    raise EnvironmentFault(
        f"environment {address.spec!r}: there is no built-in environment {kind!r}; "
        f"{nearest(kind, [*_BUILT_IN, *_ADAPTERS])} A factory of your own is written package.module:function"
    )
