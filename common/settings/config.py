"""The settings of a run: what there is, what is allowed, and what a configuration resolves to.

One object holds them all. It is made from plain settings (`common/settings/plain.py` reads them), completed from the
environment (`resolve`) and then written into the run folder: the resolved configuration names the run completely.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from chorus.common.errors import ConfigError
from chorus.common.settings.plain import explain, refuse_infinite
from chorus.common.settings.schedule import Schedule, extremes

if TYPE_CHECKING:  # this module decides about arithmetic, so it is read before NumPy may be
    from chorus.common.environments.interface import EnvironmentSpec

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Rate = float | Schedule

ROWS_PER_FORWARD_PASS = 96
"""How many rows (agents of episodes) one task aims at: enough for a forward pass to pay (docs/design.md, speed)."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings."""


class EnvironmentConfig(Section, frozen=True):
    """What is played.

    Attributes:
        spec: which environment, as `chorus.common.environments.make` reads it.
        single_reward: for an environment that gives one number per agent: is it the agent's own (`individual`), or
            already the team's (`team`, counted once per step)?
    """

    spec: str = "spread?agents=3"
    single_reward: Literal["individual", "team"] = "individual"


class RewardConfig(Section, frozen=True):
    """The reward that is learned from: `individual * r_i + team * r_team`.

    Attributes:
        individual: weight of each agent's own reward.
        team: weight of the team reward. Left out, each part weighs 0.5 where an environment gives both; where it gives
            one alone, that weighs 1, so that `mixed_return` is the environment's own.
        team_from: how a team reward is made of the agents' where the environment has none of its own: their `mean` or
            their `sum` over those alive. None makes none of individual numbers, and the mean of the team's
            (`environment.single_reward`).
        scale: `deviation` divides rewards by their running standard deviation; `none` leaves them.
    """

    individual: Rate | None = None
    team: Rate | None = None
    team_from: Literal["mean", "sum"] | None = None
    scale: Literal["none", "deviation"] = "none"


class TaskConfig(Section, frozen=True):
    """One rollout task.

    Attributes:
        episodes: K, played in lockstep; None resolves to about 96 rows, at least 2 episodes.
    """

    episodes: Positive | None = None


class UpdateConfig(Section, frozen=True):
    """One update.

    Attributes:
        tasks: J, rollout tasks per update; None resolves to 4.
    """

    tasks: Positive | None = None


class NetworkConfig(Section, frozen=True):
    """Convolutions for pictures, encoder, memory, head.

    Attributes:
        channels: of the convolutions that an observation `[height, width, channels]` goes through first.
        encoder: width of the encoder, a linear layer and a rectifier.
        memory: `lstm`, or `none`: a linear layer and a rectifier, which remember nothing.
        lstm: width of the LSTM's hidden state, or of the layer in its place.
        normalise_observations: subtract the running mean of observations and divide by their running deviation.
    """

    channels: tuple[Positive, ...] = (16, 32)
    encoder: Positive = 64
    memory: Literal["lstm", "none"] = "lstm"
    lstm: Positive = 64
    normalise_observations: bool = False

    @property
    def memory_width(self) -> int:
        """Width of what the head reads."""
        return self.lstm


class LossConfig(Section, frozen=True):
    """The gradient's formula (docs/design.md, mathematics).

    Attributes:
        discount: gamma of the return, 0 to 1.
        baseline: `none`; `leave_one_out`: the mean return at the same step of the task's other episodes; or `value`:
            a learned one, see `value`.
        pool: whose returns leave-one-out averages: the same agent's (`agent`), or all agents' of its policy (`group`).
        reduction: what the summed loss is divided by. `mean`: the batch's agent-steps; `sum`: 1; `fixed`: the greatest
            number of agent-steps that a batch can have; `agent_mean`: every life counts as its own mean;
            `sequential`: one step per agent, one agent after the other, each by its own mean (lag 0 only).
        entropy: weight of the entropy bonus.
        importance_clip: c of min(rho, c) at lag > 0; None leaves the correction out, so that its worth can be measured.
        normalise_advantages: divide advantages by their running standard deviation.
    """

    discount: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.99
    baseline: Literal["none", "leave_one_out", "value"] = "leave_one_out"
    pool: Literal["agent", "group"] = "agent"
    reduction: Literal["mean", "sum", "fixed", "agent_mean", "sequential"] = "mean"
    entropy: Rate = 0.01
    importance_clip: Annotated[float, msgspec.Meta(gt=0.0)] | None = 1.0
    normalise_advantages: bool = True


class ValueConfig(Section, frozen=True):
    """The learned baseline, for `loss.baseline: value`.

    Attributes:
        network: `head`: one more output of the policy's own network; `own`: a second network of the same widths.
        trace: lambda of the lambda-returns that the value is fitted to: 0 one step, 1 Monte Carlo.
        steps: fit to returns of so many steps instead; None for lambda-returns.
        weight: of the value's loss beside the policy's.
        slow: targets are read from a copy that moves by this share of the way at each update; 1 for no copy.
    """

    network: Literal["head", "own"] = "head"
    trace: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.95
    steps: Positive | None = None
    weight: Annotated[float, msgspec.Meta(gt=0.0)] = 0.5
    slow: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0


class OptimiserConfig(Section, frozen=True):
    """How the gradient changes the weights.

    Attributes:
        name: `adam`, `sgd` or `rmsprop`.
        learning_rate: greater than 0.
        warm_up: updates over which the learning rate rises from nothing; 0 for none.
        clip: the gradient is scaled down to this norm, policy by policy; None for never.
        momentum: of `sgd` and `rmsprop`.
    """

    name: Literal["adam", "sgd", "rmsprop"] = "adam"
    learning_rate: Rate = 2e-3
    warm_up: Count = 0
    clip: Annotated[float, msgspec.Meta(gt=0.0)] | None = 1.0
    momentum: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.0


class SharingConfig(Section, frozen=True):
    """Who shares a policy with whom.

    Attributes:
        mode: `all` one policy; `all_with_id` one policy that sees a one-hot agent id; `groups` a policy per entry of
            `groups`; `none` a policy per agent.
        groups: policy name to glob pattern of agent names; the first match counts.
    """

    mode: Literal["all", "all_with_id", "groups", "none"] = "all"
    groups: dict[str, str] = {}


class LearnerConfig(Section, frozen=True):
    """How the learner works; changes no bit of the result.

    Attributes:
        workers: threads that compute gradients, each a task at a time; None for as many as the machine has cores.
        task_timeout: seconds without a single step after which an actor counts as hanging; also the deadline of a task
            while no task's duration is known.
    """

    workers: Positive | None = None
    task_timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 120.0


class CheckpointConfig(Section, frozen=True):
    """When the run is saved.

    Attributes:
        every: updates between checkpoints.
        keep: how many of the newest stay on disk.
        archive: every so many checkpoints one stays for ever. `chorus replay` plays on from the one before the update
            that it is asked for, so this is what it costs: disk against waiting.
    """

    every: Positive = 50
    keep: Positive = 3
    archive: Positive = 20


class EvaluateConfig(Section, frozen=True):
    """Episodes played only to be measured.

    Attributes:
        every: updates between evaluations; 0 for none.
        episodes: fresh episodes per evaluation.
        greedy: take the likeliest action instead of a sample.
    """

    every: Count = 0
    episodes: Positive = 100
    greedy: bool = False


class AuditConfig(Section, frozen=True):
    """Tasks that are run a second time on another actor, to see that both come out equal.

    Attributes:
        share: of the training tasks, 0 to 1; a batch waits for its audits.
        stop: end the run when two do not.
    """

    share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    stop: bool = False


class Config(Section, frozen=True):
    """All settings of a run.

    Attributes:
        seed: of every random number in the run.
        updates: after how many the run ends.
        lag: updates by which collecting runs ahead of the newest weights; 0 is strictly on-policy.
        device: where gradients are computed: `cpu`, `cuda` or `cuda:1`.
        arithmetic: `portable` (equal bits on unlike machines) or `native`.
        initial_weights: SHA-256 of the weights file that the run starts from; empty for fresh weights.
        mixed_arithmetic: let actors of unlike arithmetic play together, which makes the run not reproducible.
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
    learner: LearnerConfig = LearnerConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    audit: AuditConfig = AuditConfig()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    updates: Positive = 400
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
        if self.loss.reduction == "sequential" and (self.lag or self.loss.baseline == "value"):
            raise ValueError("loss.reduction sequential needs lag 0 and a baseline that is not learned")
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
    def tasks(self) -> int:
        """J of a resolved configuration."""
        if self.update.tasks is None:
            raise ConfigError("update.tasks is not resolved; call chorus.common.settings.config.resolve first")
        return self.update.tasks


def sections() -> frozenset[str]:
    """The names of the settings that are sections: groups of settings, written `section.name`."""
    fields = msgspec.structs.fields(Config)
    return frozenset(f.name for f in fields if isinstance(f.type, type) and issubclass(f.type, Section))


def check(settings: dict[str, Any]) -> Config:
    """The configuration that the settings describe, defaults filled in.

    Raises:
        ConfigError: a key is unknown (the nearest valid one is named), a value has the wrong type or is impossible.
    """
    _refuse_unknown(settings, Config, "")
    try:
        return msgspec.convert(settings, Config)
    except msgspec.ValidationError as fault:
        raise ConfigError(explain(str(fault), settings)) from fault


def _refuse_unknown(settings: dict[str, Any], section: type[msgspec.Struct], prefix: str) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in settings.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            raise ConfigError(f"unknown setting {prefix}{key}; the nearest is {prefix}{near[0]}")
        kind = fields[key]
        if isinstance(kind, type) and issubclass(kind, Section):
            if not isinstance(value, dict):
                raise ConfigError(f"{prefix}{key} is a section: write {prefix}{key}.NAME, not {prefix}{key}={value!r}")
            _refuse_unknown(value, kind, f"{prefix}{key}.")
        else:
            refuse_infinite(value, f"{prefix}{key}")


def resolve(config: Config, environment: EnvironmentSpec) -> Config:
    """Fill in what depends on the environment: K and J, and the weights of rewards.

    They depend on nothing else (never on actors, cores or speed), so that the same configuration means the same run.

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
    episodes = config.task.episodes or max(2, round(ROWS_PER_FORWARD_PASS / len(environment.agents)))
    return msgspec.structs.replace(
        config,
        reward=msgspec.structs.replace(config.reward, **weights),
        task=TaskConfig(episodes=episodes),
        update=UpdateConfig(tasks=config.update.tasks or 4),
    )


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
