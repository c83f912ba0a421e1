"""The sections of a configuration: which settings there are, what each means, and what values are allowed.

Not here: how sections go together and what they resolve to (`config.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chorus.common.settings.schedule import Schedule

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Rate = float | Schedule


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group of settings."""


class EnvironmentConfig(Section, frozen=True):
    """The environment.

    Attributes:
        spec: the environment's specification, for example `spread?agents=5` or `pettingzoo:mpe2.simple_spread_v3?N=3`;
            docs/environments.md lists the kinds.
        single_reward: for an environment that gives one reward per agent: whether it is the agent's own (`individual`)
            or already the team's (`team`, counted once per step).
        isolation: `process` runs the environment in a process of its own, which is started again when it ends, killed
            when it hangs, and restarted when it leaks memory; `none` runs it in the actor's. The result is the same.
        proof: how every actor checks before its first task that episodes are reproducible. `full`: a reused instance
            is compared with itself and with a fresh one; `light`: with itself alone, so it is not known whether a
            fresh one, which every restarted actor has, plays alike; `none`: no check.
    """

    spec: str = "spread?agents=3"
    single_reward: Literal["individual", "team"] = "individual"
    isolation: Literal["none", "process"] = "none"
    proof: Literal["full", "light", "none"] = "full"


class RewardConfig(Section, frozen=True):
    """The reward that agents are trained on: `individual * r_i + team * r_team`.

    Attributes:
        individual: weight of each agent's own reward.
        team: weight of the team reward. By default both weights are 0.5 where an environment gives both rewards; where
            it gives only one, that has weight 1, so that `mixed_return` is the environment's own return.
        team_from: how to compute a team reward from the agents' rewards where the environment has none: their
            `mean` or `sum` over the agents alive. With `null` there is no team reward if the rewards are individual,
            and it is their mean if they are the team's (`environment.single_reward`).
        scale: `deviation` divides rewards by their running standard deviation; `none` leaves them as they are.
    """

    individual: Rate | None = None
    team: Rate | None = None
    team_from: Literal["mean", "sum"] | None = None
    scale: Literal["none", "deviation"] = "deviation"


class TaskConfig(Section, frozen=True):
    """A rollout task: the unit of work of an actor.

    Attributes:
        episodes: K, the episodes that a task plays in lockstep. `null` resolves by the number of agents, the longest
            episode and the size of an observation (`common/settings/defaults.py`).
        instances: L, how many of them are played at once, each on an instance of the environment. `null` for all, or
            for as many as the environment says may live at once. The result depends on it as on any setting.
    """

    episodes: Positive | None = None
    instances: Positive | None = None


class UpdateConfig(Section, frozen=True):
    """An update: one batch, one or more optimiser steps, one new policy version.

    Attributes:
        tasks: J, the rollout tasks per update. `null` resolves to 4, and to fewer where they would take much memory.
        passes: how many times the batch is used. The first optimiser step is the averaged REINFORCE gradient; every
            later one follows the clipped surrogate (`loss.surrogate_clip`).
        minibatches: optimiser steps per pass: the batch's tasks are divided into so many groups, in the order of their
            index. `null` resolves to 2, and to 1 where there is one pass.
    """

    tasks: Positive | None = None
    passes: Positive = 4
    minibatches: Positive | None = None


REPLACED = ("kernel", "stride", "attention", "encoder", "memory", "layers", "layer_norm", "activation")
"""The settings that a network of the user's own replaces."""


class NetworkConfig(Section, frozen=True):
    """Convolutions or attention, encoder, memory, head (`common/policy/trunk.py`).

    Attributes:
        channels: of the convolutions that an observation `[height, width, channels]` goes through first.
        kernel: side of their square kernels; a list gives each convolution its own.
        stride: of the convolutions; a list gives each its own.
        attention: width of self-attention over the entities of an observation `[entities, features]`, whose mean goes
            to the encoder, so that their order makes no difference; a row of zeros is no entity. 0 for no attention.
        heads: of the attention; must divide its width.
        encoder: width of the encoder, a linear layer and an activation; a list for layers one after the other.
        memory: `lstm`, `gru`, or `none`: a linear layer and an activation, without a recurrent state.
        lstm: width of the memory's hidden state, or of the layer in its place.
        layers: of memory, stacked.
        layer_norm: layer normalisation after the linear layers of encoder and memory, before the activation, and of
            the output of an LSTM or GRU.
        activation: of encoder, convolutions, attention and `memory: none`.
        initialisation: `uniform`, in +-1/sqrt(fan-in); `orthogonal`, with biases of zero and a nearly uniform policy.
        module: a network of your own in place of all of the above, `package.module:factory`, see
            `learner/gradient/own_module.py`; its output has the width `lstm`.
        module_sha256: digest of the ONNX files that actors run for it; set by the learner.
        normalise_observations: subtract the running mean of observations and divide by their running standard
            deviation; does not apply to images and entities.
    """

    channels: tuple[Positive, ...] = (16, 32)
    kernel: Positive | tuple[Positive, ...] = 3
    stride: Positive | tuple[Positive, ...] = 2
    attention: Count = 0
    heads: Positive = 4
    encoder: Positive | tuple[Positive, ...] = 64
    memory: Literal["lstm", "gru", "none"] = "lstm"
    lstm: Positive = 64
    layers: Positive = 1
    layer_norm: bool = True
    activation: Literal["relu", "tanh", "elu", "silu"] = "relu"
    initialisation: Literal["uniform", "orthogonal"] = "uniform"
    module: str = ""
    module_sha256: str = ""
    normalise_observations: bool = False

    def __post_init__(self) -> None:
        for name in ("kernel", "stride"):
            given = getattr(self, name)
            if isinstance(given, tuple) and len(given) != len(self.channels):
                raise ValueError(
                    f"network.{name} lists {len(given)} convolutions, but network.channels {len(self.channels)}; give"
                    " one number, or one for each"
                )
        if self.attention % self.heads:
            raise ValueError(f"network.heads is {self.heads} and must divide network.attention, {self.attention}")
        defaults = {field.name: field.default for field in msgspec.structs.fields(self)}
        for name in REPLACED if self.module else ():
            if getattr(self, name) != defaults[name]:
                raise ValueError(f"network.module stands in the place of network.{name}; leave one of the two out")

    @property
    def encoder_widths(self) -> tuple[int, ...]:
        """Widths of the encoder's layers, the first one first."""
        return self.encoder if isinstance(self.encoder, tuple) else (self.encoder,)

    @property
    def convolutions(self) -> tuple[tuple[int, int], ...]:
        """Kernel and stride of each convolution."""
        count = len(self.channels)
        kernels = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * count
        strides = self.stride if isinstance(self.stride, tuple) else (self.stride,) * count
        return tuple(zip(kernels, strides, strict=True))

    @property
    def memory_width(self) -> int:
        """Width of what the head reads."""
        return self.lstm


class LossConfig(Section, frozen=True):
    """The loss (docs/mathematics.md has the formula).

    Attributes:
        discount: the discount factor gamma of the return.
        baseline: `none`; `leave_one_out`: the mean return at the same time step of the task's other episodes; or
            `value`: a learned value function, see the section `value`.
        pool: whose returns the leave-one-out baseline averages: the same agent's (`agent`), or those of all agents
            with the same policy (`group`).
        reduction: what the summed loss is divided by. `mean`: the agent-steps of the batch; `sum`: 1; `fixed`: the
            greatest number of agent-steps that a batch can have; `agent_mean`: each agent's life is averaged by
            itself first; `sequential`: one optimiser step per agent in turn, each with its own mean (lag 0 only).
        entropy: weight of the entropy bonus.
        importance_clip: c of the importance ratio min(rho, c) at lag > 0 with one optimiser step per update. `null`
            leaves the correction out, so that its effect can be measured.
        surrogate_clip: c of the clipped surrogate min(rho A, clip(rho, 1 - c, 1 + c) A), which every step of an update
            with several steps follows, except the first one at lag 0.
        target_kl: an update takes no further step once the KL divergence of the policy from the one that acted exceeds
            this. `null` for no limit.
        normalise_advantages: divide advantages by their running standard deviation.
    """

    discount: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.99
    baseline: Literal["none", "leave_one_out", "value"] = "value"
    pool: Literal["agent", "group"] = "agent"
    reduction: Literal["mean", "sum", "fixed", "agent_mean", "sequential"] = "mean"
    entropy: Rate = 0.01
    importance_clip: Annotated[float, msgspec.Meta(gt=0.0)] | None = 1.0
    surrogate_clip: Annotated[float, msgspec.Meta(gt=0.0)] = 0.2
    target_kl: Annotated[float, msgspec.Meta(gt=0.0)] | None = None
    normalise_advantages: bool = True


class ValueConfig(Section, frozen=True):
    """The learned baseline, for `loss.baseline: value`.

    Attributes:
        network: `head`: one more output of the policy's own network; `own`: a second network of the same widths.
        sees: input of a value network of its own: each agent's `own` observation, or the whole `team`: all agents'
            observations of that time step, who of them acts, and whose value is asked for. Only the learner sees it
            (centralised training, decentralised execution; Yu et al. 2022). `null` resolves to the team, where there is
            one and its observations are neither images nor very long.
        memory: of a value network of its own, as `network.memory`. `null` for the same as the policy's.
        trace: lambda of the lambda-returns that the value is fitted to: 0 is one-step, 1 is Monte Carlo.
        steps: n of the n-step returns that the value is fitted to instead; `null` for lambda-returns.
        weight: weight of the value loss relative to the policy loss.
        slow: targets come from a target network that moves by this fraction of the difference at each update; 1 uses
            the network itself.
    """

    network: Literal["head", "own"] = "own"
    sees: Literal["own", "team"] | None = None
    memory: Literal["lstm", "none"] | None = None
    trace: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.95
    steps: Positive | None = None
    weight: Annotated[float, msgspec.Meta(gt=0.0)] = 0.5
    slow: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0


class OptimiserConfig(Section, frozen=True):
    """The optimiser.

    Attributes:
        name: the algorithm.
        learning_rate: the learning rate; greater than 0.
        warm_up: updates over which the learning rate rises linearly from 0; 0 for no warm-up.
        clip: the greatest norm of the gradient, for each policy by itself; `null` for no clipping.
        momentum: momentum of `sgd` and `rmsprop`.
    """

    name: Literal["adam", "sgd", "rmsprop"] = "adam"
    learning_rate: Rate = Schedule(kind="linear", start=5e-3, end=5e-4)
    warm_up: Count = 0
    clip: Annotated[float, msgspec.Meta(gt=0.0)] | None = 1.0
    momentum: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.0


class SharingConfig(Section, frozen=True):
    """Parameter sharing: which agents have the same policy.

    Attributes:
        mode: `auto`: a policy for each kind of agent, where agents of a kind have the same spaces; `all`: one policy;
            `all_with_id`: one policy that also sees a one-hot agent id; `groups`: a policy per entry of `groups`;
            `none`: a policy per agent.
        groups: policy name to glob pattern of agent names; the first match counts.
    """

    mode: Literal["auto", "all", "all_with_id", "groups", "none"] = "auto"
    groups: dict[str, str] = {}


class SelfPlayConfig(Section, frozen=True):
    """How often opponents play, and how past versions are drawn for them, see `opponents`.

    Attributes:
        share: share of the training tasks in which one side of `opponents` plays as is said there, and is not
            trained; in all others every agent plays with the newest version and is trained.
        every: every how many updates a version is kept for `past`.
        keep: how many of the newest kept versions to draw from.
    """

    share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.5
    every: Positive = 10
    keep: Positive = 20


class FrozenConfig(Section, frozen=True):
    """A policy of another run that plays for opponents and does not change.

    Attributes:
        sha256: of its file of weights.
        sharing: which of its policies acts for whom.
        network: how its networks are built.
    """

    sha256: str
    sharing: SharingConfig = SharingConfig()
    network: NetworkConfig = NetworkConfig()


class LearnerConfig(Section, frozen=True):
    """How the learner computes; these settings never change the result.

    Attributes:
        workers: threads that compute gradients, each for one task at a time. `null` for one per core.
        memory: MiB that gradients may take at once. A thread holds one block of its task (`learner/gradient/blocks.py`:
            at most 128 MiB, unless one agent's whole episode takes more), so fewer threads work where they would take
            more together; one always does. `null` for no limit but that.
        spill: a folder for the trajectories of a batch, on a local disk of every host of the learner: they are then in
            files without names, mapped into memory, whose pages the kernel writes out and drops where memory is short,
            so that what must be in memory does not grow with episodes and steps. They take the disk what they
            weigh. `null` to hold them in memory.
        task_timeout: seconds without an environment step after which an actor counts as hung; also the deadline of a
            task while no task's duration is known.
        processes: R, the processes that are one learner together (docs/distributed.md). `null` for as many as
            `torchrun` started; a number must be that.
        group_timeout: seconds after which a learner process that does not answer the others counts as gone; longer
            than one process may take over its share of a pass.
    """

    workers: Positive | None = None
    memory: Positive | None = None
    spill: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    task_timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 120.0
    processes: Positive | None = None
    group_timeout: Annotated[float, msgspec.Meta(gt=0.0)] = 60.0


class CheckpointConfig(Section, frozen=True):
    """When the run is saved.

    Attributes:
        every: updates between checkpoints.
        keep: how many of the newest checkpoints stay on disk.
        archive: every so many checkpoints, one is kept forever. `chorus replay` starts from the last one before the
            update in question: a smaller number costs disk space, a greater one costs time.
    """

    every: Positive = 50
    keep: Positive = 3
    archive: Positive = 20


class EvaluateConfig(Section, frozen=True):
    """Evaluation during training, on episodes that are not trained on.

    Attributes:
        every: updates between evaluations; 0 for no evaluation.
        episodes: new episodes per evaluation.
        greedy: take the most likely action instead of sampling.
    """

    every: Count = 0
    episodes: Positive = 100
    greedy: bool = False


class AuditConfig(Section, frozen=True):
    """Audits: tasks that are run a second time on another actor, to check that both results are equal.

    Attributes:
        share: fraction of the training tasks that are audited; a batch waits for its audits.
        stop: end the run when two results differ, after a third run has shown which is wrong.
        bar: exclude an actor whose result was wrong; its tasks in batches that are not yet learned from are played
            again.
    """

    share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    stop: bool = False
    bar: bool = False
