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


@dataclass(frozen=True)
class Rival:
    """Another run whose policy plays for some agents: its name, settings and weights, and a glob pattern of agents."""

    name: str
    config: Config
    policy: PolicyVersion
    agents: str


def line_up(
    config: Config,
    environment: EnvironmentSpec,
    policy: PolicyVersion,
    untrained: str | None,
    rival: Rival | None = None,
) -> LineUp:
    """Set the agents whose names match the pattern `untrained` apart, under policies named `NAME untrained`; or those
    that play for a rival, under policies named `NAME of RIVAL`.

    Raises:
        ConfigError: the pattern matches nobody, or part of a policy that sees agent ids, or the run did not begin with
            weights of its own.
    """
    policies = divide(environment, config.sharing, config.network)
    if rival is not None:
        return _against(policies, environment, policy, untrained, rival)
    if untrained is None:
        return LineUp(policies, policy)
    chosen = _matching(environment, untrained, "--untrained")
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


def _matching(environment: EnvironmentSpec, pattern: str, option: str) -> set[int]:
    names = [agent.name for agent in environment.agents]
    chosen = {number for number, name in enumerate(names) if fnmatchcase(name, pattern)}
    if not chosen:
        raise ConfigError(f"{option} {pattern!r} matches none of {', '.join(names)}")
    return chosen


def _against(
    policies: tuple[PolicySpec, ...],
    environment: EnvironmentSpec,
    policy: PolicyVersion,
    untrained: str | None,
    rival: Rival,
) -> LineUp:
    """This run's policies for some agents, the rival's for those that it plays for."""
    if untrained is not None:
        raise ConfigError("--with and --untrained: give one of the two")
    chosen = _matching(environment, rival.agents, "--agents")
    theirs = divide(environment, rival.config.sharing, rival.config.network)
    tensors, others = policy.tensors(), rival.policy.tensors()
    sides: list[PolicySpec] = []
    for spec, guest in [*((spec, False) for spec in policies), *((spec, True) for spec in theirs)]:
        agents = tuple(agent for agent in spec.agents if (agent in chosen) is guest)
        if not agents:
            continue
        if spec.identified and agents != spec.agents:
            raise ConfigError(
                f"--agents {rival.agents!r}: policy {spec.name!r} tells its agents apart by ids and cannot be divided;"
                " give a pattern that matches all of its agents or none"
            )
        name = f"{spec.name} of {rival.name}" if guest else spec.name
        if guest:
            tensors |= _renamed(others, spec.name, name)
            _see_that_it_fits(replace(spec, name=name), tensors, rival)
        sides.append(replace(spec, name=name, agents=agents))
    return LineUp(tuple(sides), make(policy.version, tensors))


def _see_that_it_fits(spec: PolicySpec, tensors: Tensors, rival: Rival) -> None:
    """See that the rival was trained on observations and actions of these sizes."""
    head, encoder = tensors.get(f"{spec.name}/head.weight"), tensors.get(f"{spec.name}/encoder.weight")
    flat = len(spec.agent.observation_shape) < 3  # else convolutions stand between the two
    if (
        head is None
        or encoder is None
        or spec.output_size not in head.shape
        or (flat and spec.input_size not in encoder.shape)
    ):
        raise ConfigError(
            f"--with {rival.name}: its policies do not fit the agents {rival.agents!r} of this environment;"
            f" it was trained on {rival.config.environment.spec}"
        )


def _renamed(tensors: Tensors, old: str, new: str) -> Tensors:
    return {
        f"{new}/{name.removeprefix(f'{old}/')}": value for name, value in tensors.items() if name.startswith(f"{old}/")
    }
