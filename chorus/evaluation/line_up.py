"""Who plays by what in an evaluation: the run's newest policy, or for some agents the weights that it began with.

Whether a side of a game has learned shows against an opponent that has not: played against itself, a policy that has
learned everything wins as often as one that has learned nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from chorus.common.environments.interface import EnvironmentSpec
from chorus.common.errors import ConfigError
from chorus.common.policy.sharing import PolicySpec, divide
from chorus.common.policy.weights import PolicyVersion, Tensors, make
from chorus.common.settings.config import Config
from chorus.learner.update.training import first_version


@dataclass(frozen=True)
class LineUp:
    """Policies that between them hold every agent, and the tensors of them all."""

    policies: tuple[PolicySpec, ...]
    version: PolicyVersion


def line_up(config: Config, environment: EnvironmentSpec, policy: PolicyVersion, untrained: str | None) -> LineUp:
    """Set the agents whose names match the pattern `untrained` apart, under policies named `NAME untrained`.

    Raises:
        ConfigError: the pattern matches nobody, or part of a policy that sees agent ids, or the run did not begin with
            weights of its own.
    """
    policies = divide(environment, config.sharing, config.network)
    if untrained is None:
        return LineUp(policies, policy)
    names = [agent.name for agent in environment.agents]
    chosen = {number for number, name in enumerate(names) if fnmatchcase(name, untrained)}
    if not chosen:
        raise ConfigError(f"--untrained {untrained!r} matches none of {', '.join(names)}")
    if config.initial_weights:
        raise ConfigError("--untrained: the run began with the weights of another run; evaluate that one")
    tensors, fresh = policy.tensors(), first_version(config, policies).tensors()
    sides: list[PolicySpec] = []
    for spec in policies:
        parts = [tuple(a for a in spec.agents if (a in chosen) is novice) for novice in (False, True)]
        if spec.identified and all(parts):
            raise ConfigError(
                f"--untrained {untrained!r}: policy {spec.name!r} tells its agents apart by ids and cannot be divided;"
                " give a pattern that matches all of its agents or none"
            )
        if parts[0]:
            sides.append(replace(spec, agents=parts[0]))
        if parts[1]:
            sides.append(replace(spec, name=f"{spec.name} untrained", agents=parts[1]))
            tensors |= _renamed(fresh, spec.name, f"{spec.name} untrained")
    return LineUp(tuple(sides), make(policy.version, tensors))


def _renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {
        f"{new}/{name.removeprefix(f'{old}/')}": value for name, value in tensors.items() if name.startswith(f"{old}/")
    }
