"""The settings of a run: what there is, what is allowed, and what a configuration resolves to.

One object holds them all. It is made from plain settings (`common/settings/plain.py` reads them), completed from the
environment (`resolve`) and then written into the run folder: the resolved configuration names the run completely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from chorus.common.errors import ConfigError
from chorus.common.settings import defaults
from chorus.common.settings.plain import refuse_infinite
from chorus.common.settings.schedule import extremes, spread_over
from chorus.common.settings.sections import (
    AuditConfig,
    CheckpointConfig,
    Count,
    EnvironmentConfig,
    EvaluateConfig,
    FrozenConfig,
    LearnerConfig,
    LossConfig,
    NetworkConfig,
    OptimiserConfig,
    RewardConfig,
    Section,
    SelfPlayConfig,
    SharingConfig,
    TaskConfig,
    UpdateConfig,
    ValueConfig,
)
from chorus.common.settings.wording import explain, names, unknown, with_origin

if TYPE_CHECKING:  # this module decides about arithmetic, so it is read before NumPy may be
    from chorus.common.environments.interface import EnvironmentSpec


class Config(Section, frozen=True):
    """All settings of a run.

    Attributes:
        opponents: pattern of agent names to the opponents' kind: in a share of the tasks (`self_play.share`) those
            agents act otherwise, one pattern at a time, and are not trained. `past`: with an older version of their own
            policy; `frozen:RUN`: with the newest weights of another run, named by its folder;
            `scripted:module:factory`: by a program of yours. With a pattern for each side of a game, each side is
            trained against the other's.
        frozen: what each frozen opponent is, by the folder that `opponents` names. Filled in when the run begins, which
            keeps the weights in its checkpoints, so that it does not need the other folder any more.
        seed: seed of every random number in the run.
        updates: number of updates after which the run ends; 0 for a number that follows from the environment's longest
            episode.
        lag: how many updates the version that collects a batch may be behind the newest; 0 is strictly on-policy.
        device: where gradients are computed: `cpu`, `cuda` or `cuda:1`.
        arithmetic: `portable`: the same bits on all x86-64 machines with AVX2; `native`: the fastest kernels of this
            machine.
        initial_weights: SHA-256 of the weights file that the run starts from; empty for newly drawn weights.
            `--init-from` sets it.
        mixed_arithmetic: allow actors, or a learner that goes on, whose arithmetic differs; the run is then not
            reproducible.
    """

    environment: EnvironmentConfig = EnvironmentConfig()
    reward: RewardConfig = RewardConfig()
    sharing: SharingConfig = SharingConfig()
    task: TaskConfig = TaskConfig()
    update: UpdateConfig = UpdateConfig()
    network: NetworkConfig = NetworkConfig()
    loss: LossConfig = LossConfig()
    value: ValueConfig = ValueConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    opponents: dict[str, str] = msgspec.field(default_factory=dict)
    frozen: dict[str, FrozenConfig] = msgspec.field(default_factory=dict)
    self_play: SelfPlayConfig = SelfPlayConfig()
    learner: LearnerConfig = LearnerConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    audit: AuditConfig = AuditConfig()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    updates: Count = 0
    lag: Count = 0
    device: Annotated[str, msgspec.Meta(pattern=r"^(cpu|cuda(:\d+)?)$")] = "cpu"
    arithmetic: Literal["portable", "native"] = "portable"
    mixed_arithmetic: bool = False
    initial_weights: str = ""

    def __post_init__(self) -> None:
        if extremes(self.optimiser.learning_rate)[0] < 0 or extremes(self.optimiser.learning_rate)[1] <= 0:
            raise ValueError("optimiser.learning_rate must be greater than 0")
        if self.loss.baseline == "leave_one_out" and self.task.episodes == 1:
            raise ValueError(
                "loss.baseline leave_one_out compares the episodes of a task with one another and needs at least 2, but"
                " task.episodes is 1; raise task.episodes or set loss.baseline to none"
            )
        if self.task.instances and self.task.episodes and self.task.instances > self.task.episodes:
            raise ValueError(
                f"task.instances is {self.task.instances}, but a task has only {self.task.episodes} episodes"
                " (task.episodes); lower it, or leave it out for as many"
            )
        several = self.update.passes > 1 or (self.update.minibatches or 1) > 1
        if self.loss.reduction == "sequential" and (self.lag or self.loss.baseline == "value" or several):
            raise ValueError(
                "loss.reduction sequential steps after every agent, so it cannot be combined with lag above 0 (here"
                f" {self.lag}), loss.baseline value (here {self.loss.baseline}), or several passes or minibatches (here"
                f" {self.update.passes} and {self.update.minibatches or 1}); set lag=0, loss.baseline=leave_one_out,"
                " update.passes=1"
            )
        if self.update.tasks is not None and (self.update.minibatches or 1) > self.update.tasks:
            raise ValueError(
                f"update.minibatches is {self.update.minibatches}, but there are only update.tasks {self.update.tasks}"
                " to divide; lower update.minibatches or raise update.tasks"
            )
        if self.network.module and self.value.memory is not None and self.value.sees == "own":
            raise ValueError("network.module stands in the place of value.memory too; leave one of the two out")
        if self.value.network == "head" and (self.value.sees == "team" or self.value.memory is not None):
            raise ValueError(
                "value.sees team and value.memory are of a value with a network of its own: the policy's network must"
                " not see the team; set value.network to own"
            )
        for pattern, kind in self.opponents.items():
            if not re.fullmatch(r"past|frozen:.+|scripted:[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", kind):
                raise ValueError(
                    f"opponents: {pattern!r} is {kind!r}; write past, frozen:RUN (the folder of another run), or"
                    " scripted:module:factory (a program of your own)"
                )
        if self.opponents and self.loss.reduction == "sequential":
            raise ValueError("opponents do not go with loss.reduction sequential, which steps after every agent")
        if (self.sharing.mode == "groups") != bool(self.sharing.groups):
            raise ValueError("sharing.groups and sharing.mode: groups belong together; set both or neither")
        for name in self.sharing.groups:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(f"sharing.groups: {name!r} cannot name a policy; use letters, digits, _ and -")

    @property
    def episodes(self) -> int:
        """K of a resolved configuration."""
        if self.task.episodes is None:
            raise ConfigError("task.episodes is not resolved; call chorus.common.settings.config.resolve first")
        return self.task.episodes

    @property
    def minibatches(self) -> int:
        """Steps per pass of a resolved configuration."""
        if self.update.minibatches is None:
            raise ConfigError("update.minibatches is not resolved; call common.settings.config.resolve first")
        return self.update.minibatches

    @property
    def instances(self) -> int:
        """L of a resolved configuration."""
        return min(self.episodes, self.task.instances or self.episodes)

    @property
    def tasks(self) -> int:
        """J of a resolved configuration."""
        if self.update.tasks is None:
            raise ConfigError("update.tasks is not resolved; call chorus.common.settings.config.resolve first")
        return self.update.tasks


def sections() -> frozenset[str]:
    """The names of the settings that are sections: groups of settings, written `section.name`."""
    fields = msgspec.structs.fields(Config)
    return frozenset(f.name for f in fields if isinstance(f.type, type) and issubclass(f.type, Section))


def check(settings: dict[str, Any], origin: Mapping[str, str] | None = None) -> Config:
    """The configuration that the settings describe, defaults filled in.

    Args:
        settings: plain values by section.
        origin: where each was written (a file and line, an option), by its whole name; complaints say so.

    Raises:
        ConfigError: a key is unknown (one that is near is named), a value has the wrong type or is impossible.
    """
    try:
        _refuse_unknown(settings, Config, "")
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as fault:
        raise ConfigError(with_origin(explain(str(fault), settings, Config), origin or {})) from fault
    except ConfigError as fault:
        raise ConfigError(with_origin(str(fault), origin or {})) from fault


def _refuse_unknown(settings: dict[str, Any], section: type[msgspec.Struct], prefix: str) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(unknown(str(key), prefix, fields, names(Config)))
        kind = fields[key]
        if isinstance(kind, type) and issubclass(kind, Section):
            if not isinstance(value, dict):
                raise ConfigError(f"{prefix}{key} is a section: write {prefix}{key}.NAME, not {prefix}{key}={value!r}")
            _refuse_unknown(value, kind, f"{prefix}{key}.")
        else:
            refuse_infinite(value, f"{prefix}{key}")


def resolve(config: Config, environment: EnvironmentSpec, horizon: int | None = None) -> Config:
    """Fill in what depends on the environment: K, J and the number of updates, and the weights of rewards; and give
    schedules that take the whole run their length.

    They depend on nothing else (never on actors, cores or speed), so that the same configuration means the same run.

    Args:
        config: as it was given.
        environment: that it is for.
        horizon: updates that a run was begun with which is now to be longer: its schedules stay as they were.

    Raises:
        ConfigError: a setting does not go with this environment.
    """
    if environment.team_reward and config.environment.single_reward == "team":
        raise ConfigError(
            f"environment.single_reward is team, but {environment.name} gives a team reward apart from the agents' own;"
            " leave it out, and weigh the two by reward.individual and reward.team"
        )
    if environment.team_reward and config.reward.team_from:
        raise ConfigError(
            f"reward.team_from is {config.reward.team_from!r}, but {environment.name} gives a team reward itself;"
            " leave it out"
        )
    already_the_teams = config.environment.single_reward == "team"
    parts = {
        "individual": not already_the_teams,
        "team": environment.team_reward or already_the_teams or config.reward.team_from is not None,
    }
    given = {"individual": config.reward.individual, "team": config.reward.team}
    weights = {name: parts[name] / sum(parts.values()) if given[name] is None else given[name] for name in parts}
    size = len(environment.agents), environment.max_steps, environment.observation_bytes
    episodes = config.task.episodes or defaults.episodes(*size)
    tasks = config.update.tasks or max(defaults.tasks(*size, episodes), config.update.minibatches or 1)
    minibatches = config.update.minibatches or defaults.minibatches(config.update.passes, tasks)
    sees = config.value.sees or ("team" if _team_can_be_seen(config, environment) else "own")
    updates = config.updates or defaults.updates(episodes * tasks, environment.max_steps)
    replace, horizon = msgspec.structs.replace, horizon or updates
    return replace(
        config,
        reward=replace(config.reward, **{name: spread_over(weight, horizon) for name, weight in weights.items()}),
        task=TaskConfig(episodes=episodes, instances=_instances(config, environment, episodes)),
        update=replace(config.update, tasks=tasks, minibatches=minibatches),
        value=replace(config.value, sees=sees),
        loss=replace(config.loss, entropy=spread_over(config.loss.entropy, horizon)),
        optimiser=replace(config.optimiser, learning_rate=spread_over(config.optimiser.learning_rate, horizon)),
        updates=updates,
    )


def _team_can_be_seen(config: Config, environment: EnvironmentSpec) -> bool:
    """Whether a value with a network of its own can be shown all observations of a step at once."""
    shapes = [agent.observation_shape for agent in environment.agents]
    size = sum(agent.observation_size for agent in environment.agents)
    flat = len(shapes) > 1 and all(len(shape) < 3 for shape in shapes) and size <= defaults.LARGEST_TEAM_VIEW
    return config.value.network == "own" and flat


def _instances(config: Config, environment: EnvironmentSpec, episodes: int) -> int | None:
    """L as it is given; what the environment allows where that is less than K and nothing is given."""
    given, limit = config.task.instances, environment.instances
    if limit is None or (given or episodes) <= limit:
        return given
    if given is not None:
        raise ConfigError(
            f"task.instances is {given}, but {environment.name} says that no more than {limit} of its instances may"
            " live at once (max_instances); lower it, or leave it out"
        )
    return limit


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain values, for YAML, JSON and comparison."""
    plain: dict[str, Any] = msgspec.to_builtins(config)
    return plain


def encode(config: Config) -> bytes:
    """The configuration as JSON, for the wire."""
    return msgspec.json.encode(config)


def decode(data: bytes) -> Config:
    """The configuration that `encode` wrote.

    Raises:
        ConfigError: the bytes are none.
    """
    try:
        return msgspec.json.decode(data, type=Config)
    except msgspec.MsgspecError as fault:
        raise ConfigError(f"the learner's configuration cannot be read: {fault}") from fault
