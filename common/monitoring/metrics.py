"""Every metric that Chorus exports, named in one place. `docs/metrics.md` lists them.

Each process has a registry of its own, so that tests can make as many as they like.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

TASK_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
OUTCOMES = ("completed", "repeated", "failed", "requeued")
REFUSALS = (
    "barred",
    "corrupted",
    "crowded",
    "fingerprint",
    "flood",
    "greedy",
    "malformed",
    "name_taken",
    "no_hello",
    "no_room",
    "not_leased",
    "role",
    "silent",
    "stuck",
    "unauthenticated",
    "version",
    "wrong_version",
)
PHASE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class RankedRegistry(CollectorRegistry):
    """A registry of one of several processes of a learner: `rank` on everything says of which."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self._rank = str(rank)

    def collect(self) -> Iterator[Metric]:
        """Everything, with that label."""
        for family in super().collect():
            labelled = [sample._replace(labels={**sample.labels, "rank": self._rank}) for sample in family.samples]
            family.samples = labelled
            yield family


def registry(rank: int | None = None) -> CollectorRegistry:
    """A registry with what every process exports: memory, processor time, open files, the Python version.

    `rank` is that of a process of a learner of several; None for one that is alone.
    """
    made = CollectorRegistry() if rank is None else RankedRegistry(rank)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made


class LearnerMetrics:
    """What the learner exports."""

    def __init__(self, to: CollectorRegistry) -> None:
        """Register everything at `to`."""
        self.build = Info("chorus_build", "Version of Chorus and id of the run.", registry=to)
        self.updates = Counter("chorus_updates", "Updates done by this process.", registry=to)
        self.policy_version = Gauge("chorus_policy_version", "The newest policy version.", registry=to)
        self.policy_lag = Gauge(
            "chorus_policy_lag",
            "Updates between the version that played the last batch and the one it made, less one.",
            registry=to,
        )
        self.policy_lag_setting = Gauge("chorus_policy_lag_setting", "The policy lag that the run allows.", registry=to)
        self.env_steps = Counter("chorus_env_steps", "Environment steps trained on.", registry=to)
        self.agent_steps = Counter("chorus_agent_steps", "Agent-steps trained on.", registry=to)
        self.episodes = Counter("chorus_episodes", "Episodes trained on.", registry=to)
        self.returns = Gauge(
            "chorus_return", "Mean undiscounted return of the last batch, summed over agents.", ["part"], registry=to
        )
        self.evaluation_return = Gauge(
            "chorus_evaluation_return", "Mean mixed return of the last evaluation, summed over agents.", registry=to
        )
        self.episode_length = Gauge(
            "chorus_episode_length_steps", "Mean episode length of the last batch.", registry=to
        )
        self.gradient_norm = Gauge("chorus_gradient_norm", "Norm of the last gradient before clipping.", registry=to)
        self.clipped = Gauge(
            "chorus_gradient_clipped_ratio", "Share of policies whose last gradient was clipped.", registry=to
        )
        self.signal_to_noise = Gauge(
            "chorus_gradient_signal_to_noise_ratio",
            "Squared signal of the last batch's gradient over the variance of its estimate.",
            registry=to,
        )
        self.explained_variance = Gauge(
            "chorus_explained_variance_ratio", "Share of the returns' variance that the baseline explains.", registry=to
        )
        self.entropy = Gauge(
            "chorus_policy_entropy_nats", "Mean entropy of the policy over the last batch.", registry=to
        )
        self.disagreement = Gauge(
            "chorus_policy_disagreement_ratio",
            "Greatest |log pi (learner) - log pi (actor)| / max(1, |log pi|) of the last batch; about 1e-6 at lag 0.",
            registry=to,
        )
        self.passes = Gauge("chorus_passes", "Passes over the last batch.", registry=to)
        self.kl = Gauge(
            "chorus_kl",
            "KL divergence of the policy from the one that acted, at the last step of a batch.",
            registry=to,
        )
        self.surrogate_clipped = Gauge(
            "chorus_surrogate_clipped",
            "Share of agent-steps whose gradient the surrogate's clip set to zero, at the last step of a batch.",
            registry=to,
        )
        self.ratio_mean = Gauge(
            "chorus_importance_ratio_mean", "Mean importance ratio at the last step of a batch.", registry=to
        )
        self.ratio_max = Gauge(
            "chorus_importance_ratio_max", "Greatest importance ratio at the last step of a batch.", registry=to
        )
        self.learning_rate = Gauge("chorus_learning_rate", "Learning rate of the last step.", registry=to)
        self.tasks = Counter("chorus_tasks", "Leases that ended, by outcome.", ["outcome"], registry=to)
        self.audits = Counter(
            "chorus_audits",
            "Tasks run a second time on another actor, by result; named: a third run showed which actor is wrong.",
            ["result"],
            registry=to,
        )
        self.leases = Counter("chorus_leases", "Leases granted.", registry=to)
        self.task_seconds = Histogram(
            "chorus_task_duration_seconds", "From a lease to its trajectory.", buckets=TASK_SECONDS, registry=to
        )
        self.update_seconds = Histogram(
            "chorus_update_phase_duration_seconds",
            "Time of an update by phase: batch (waiting for its tasks), step (optimiser and new version).",
            ["phase"],
            buckets=PHASE_SECONDS,
            registry=to,
        )
        self.gradient_seconds = Histogram(
            "chorus_gradient_duration_seconds",
            "Forward and backward pass of one task.",
            buckets=PHASE_SECONDS,
            registry=to,
        )
        self.group_seconds = Counter(
            "chorus_group_seconds",
            "Spent in calls to the other processes of the learner, waiting for them included.",
            registry=to,
        )
        self.group_bytes = Counter(
            "chorus_group_bytes", "That this process has put into sums over the learner's processes.", registry=to
        )
        self.actors = Gauge("chorus_actors", "Actors connected.", registry=to)
        self.idle_actors = Gauge("chorus_idle_actors", "Actors connected that wait for a task.", registry=to)
        self.connections = Counter("chorus_connections", "Streams opened by actors.", registry=to)
        self.refusals = Counter(
            "chorus_refusals", "Streams ended because of what they carried, by reason.", ["reason"], registry=to
        )
        self.expiry = Gauge(
            "chorus_certificate_expiry_timestamp_seconds",
            "When the learner's own certificate expires, and that of the authority it trusts.",
            ["certificate"],
            registry=to,
        )
        self.received = Counter("chorus_received_bytes", "Payload received from actors.", registry=to)
        self.sent = Counter("chorus_sent_bytes", "Payload sent to actors.", registry=to)
        self.checkpoint_time = Gauge(
            "chorus_checkpoint_timestamp_seconds", "When the last checkpoint was written.", registry=to
        )
        self.progress_time = Gauge(
            "chorus_progress_timestamp_seconds", "When a task was last completed or an update done.", registry=to
        )
        # A series that is there from the start shows its first step too: rates and alerts need a 0 to rise from.
        _start(self.tasks, OUTCOMES)
        _start(self.refusals, REFUSALS)
        _start(self.audits, ("equal", "unequal", "named"))
        _start(self.update_seconds, ("batch", "step"))
        self.evaluation_return.set(nan)  # until there is one


class ActorMetrics:
    """What an actor exports."""

    def __init__(self, to: CollectorRegistry) -> None:
        """Register everything at `to`."""
        self.build = Info("chorus_actor_build", "Version of Chorus.", registry=to)
        self.tasks = Counter("chorus_actor_tasks", "Tasks by outcome.", ["outcome"], registry=to)
        self.agent_steps = Counter("chorus_actor_agent_steps", "Agent-steps played.", registry=to)
        self.env_steps = Counter("chorus_actor_env_steps", "Environment steps played.", registry=to)
        self.seconds = Counter(
            "chorus_actor_phase_seconds", "Time by phase: environment, inference, encode, wait.", ["phase"], registry=to
        )
        self.policy_version = Gauge("chorus_actor_policy_version", "The newest policy version received.", registry=to)
        self.connected = Gauge("chorus_actor_connected", "1 while the stream to the learner is open.", registry=to)
        self.connections = Counter("chorus_actor_connections", "Streams opened to the learner.", registry=to)
        self.expired = Counter(
            "chorus_actor_expired_certificates",
            "Streams that could not be opened while a certificate of this actor had expired.",
            registry=to,
        )
        self.expiry = Gauge(
            "chorus_actor_certificate_expiry_timestamp_seconds",
            "When the actor's own certificate expires, and that of the authority it trusts.",
            ["certificate"],
            registry=to,
        )
        _start(self.tasks, ("kept", "repeated", "failed"))
        _start(self.seconds, ("environment", "inference", "encode", "wait"))


def _start(metric: Counter | Histogram, values: tuple[str, ...]) -> None:
    for value in values:
        metric.labels(value)
