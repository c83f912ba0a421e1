"""Study `variance`: how much less noise there is in a gradient averaged over m of the N agents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from chorus.actor.rollout import Player
from chorus.common.environments import make
from chorus.common.policy.sharing import divide
from chorus.common.settings import config as configuration
from chorus.common.tasks.task import Purpose, Task
from chorus.learner.update.training import TaskSums, Training
from chorus.studies.comparisons import Comparisons
from chorus.studies.crew import Job
from chorus.studies.interval import Interval, interval
from chorus.studies.run import Json, train
from chorus.studies.study import BASE, QUICK, Study, Work, merge

Values = NDArray[np.float64]

REWARDS = {"individual": (1.0, 0.0), "team": (0.0, 1.0), "mixed": (0.5, 0.5)}
WORLDS = {"spread": "spread?agents=8", "weather": "chorus.studies.worlds:weather?agents=8"}
BASELINES = ("none", "leave_one_out")
SUBSETS = 24
"""At most so many choices of m agents are averaged over."""

SETTINGS: Json = merge(
    BASE,
    {
        "task": {"episodes": 8},
        "update": {"tasks": 4},
        "network": {"encoder": 32, "lstm": 32},
        "loss": {"normalise_advantages": False, "entropy": 0.0},
    },
)


def measure(work: Work, quick: bool) -> Json:
    """All of it: one job for each world and seed."""
    size = {"warm_up": 1, "tasks": 6, "settings": merge(SETTINGS, QUICK)} if quick else {
        "warm_up": 30, "tasks": 200, "settings": SETTINGS
    }  # fmt: skip
    seeds = 2 if quick else 5
    jobs = [
        Job(
            "chorus.studies.variance:one_seed",
            merge(size, {"seed": seed, "settings": {"environment": {"spec": spec}}}),
        )
        for spec in WORLDS.values()
        for seed in range(seeds)
    ]
    done = work(jobs)
    measured = {world: done[place * seeds : (place + 1) * seeds] for place, world in enumerate(WORLDS)}
    return {"seeds": seeds, "warm_up": size["warm_up"], "tasks": size["tasks"], "measured": measured}


def one_seed(settings: Json, seed: int, warm_up: int, tasks: int) -> list[Json]:
    """Train a policy a little, hold it fixed, and take every agent's gradient of the same tasks.

    The gradient of one task over a set S of agents is the mean of theirs, `g_S = (1/m) sum_{i in S} g_i`; its variance
    is the trace of its covariance over tasks, measured on the second half of the tasks. The correlation
    `rho = mean_{i != j} cov(g_i, g_j) / mean_i var(g_i)` is measured on the first half.

    Returns:
        for each baseline and reward: `correlation`, and `variance` by m, one agent's being 1, mean over choices of m.
    """
    learning = merge(settings, {"seed": seed, "updates": warm_up})
    version = train(configuration.check(learning)).current
    environment = make(settings["environment"]["spec"])
    spec = environment.spec
    number = len(spec.agents)
    sets = _sets(number, seed)
    weights = np.array([[1.0 / len(one) if agent in one else 0.0 for agent in range(number)] for one in sets])
    cases = []
    for baseline in BASELINES:
        for reward, (individual, team) in REWARDS.items():
            change = {"loss": {"baseline": baseline}, "reward": {"individual": individual, "team": team}}
            config = configuration.resolve(configuration.check(merge(learning, change)), spec)
            training = Training(config, spec, divide(spec, config.sharing, config.network), {warm_up: version}, warm_up)
            cases.append((baseline, reward, training, _Spread(), _Spread()))
    player = Player(environment, divide(spec, cases[0][2].config.sharing, cases[0][2].config.network), seed)
    for index in range(tasks):
        training = cases[0][2]
        trajectory = player.play(version, Task(warm_up, Purpose.TRAINING, index), training.config.episodes)
        for _, _, training, first, second in cases:
            gradients = np.stack([_gradient(training.sums(trajectory, [agent])) for agent in range(number)])
            if 2 * index < tasks:
                first.add(gradients, np.eye(number))
            else:
                second.add(gradients, weights)
    environment.close()
    found = []
    for baseline, reward, _, first, second in cases:
        variances = second.variances()
        one = np.mean([variance for members, variance in zip(sets, variances, strict=True) if len(members) == 1])
        by_size = {
            str(m): float(np.mean([v for members, v in zip(sets, variances, strict=True) if len(members) == m]) / one)
            for m in range(1, number + 1)
        }
        found.append({"baseline": baseline, "reward": reward, "correlation": first.correlation(), "variance": by_size})
    return found


def _gradient(sums: TaskSums) -> Values:
    step = sums.policies[0].step
    gradient = step.gradient
    if gradient is None:
        raise ValueError("an agent did nothing")
    flat: Values = gradient.double().numpy() / step.steps
    return flat


def _sets(number: int, seed: int) -> list[tuple[int, ...]]:
    """The choices of m of N agents that are averaged over: all, or some drawn at random."""
    draws = np.random.Generator(np.random.Philox(key=[seed, 0]))
    sets: list[tuple[int, ...]] = []
    for m in range(1, number + 1):
        every = list(combinations(range(number), m))
        chosen = range(len(every)) if len(every) <= SUBSETS else draws.choice(len(every), SUBSETS, replace=False)
        sets += [every[int(place)] for place in chosen]
    return sets


class _Spread:
    """Gathers vectors, task by task: what their covariance needs, and no more."""

    def __init__(self) -> None:
        self._count = 0
        self._sums: Values | None = None
        self._products: Values | None = None

    def add(self, gradients: Values, weights: Values) -> None:
        """Take a task's gradients `[agent, parameter]`, averaged as `weights` `[set, agent]` say."""
        vectors = weights @ gradients
        products = vectors @ vectors.T
        self._sums = vectors if self._sums is None else self._sums + vectors
        self._products = products if self._products is None else self._products + products
        self._count += 1

    def _covariance(self) -> Values:
        """`[set, set]`, traces of the covariances."""
        if self._sums is None or self._products is None or self._count < 2:
            raise ValueError("variances need two tasks or more")
        centred: Values = (self._products - self._sums @ self._sums.T / self._count) / (self._count - 1)
        return centred

    def variances(self) -> Values:
        """`[set]`."""
        return np.diagonal(self._covariance())

    def correlation(self) -> float:
        """Mean covariance of two over mean variance of one."""
        covariance = self._covariance()
        count = len(covariance)
        diagonal = float(np.trace(covariance))
        return (float(covariance.sum()) - diagonal) / (count - 1) / diagonal


@dataclass(frozen=True)
class Case:
    """One world, baseline and reward, over seeds: the correlation, and the variance by m relative to m = 1."""

    world: str
    baseline: str
    reward: str
    correlation: Interval
    variance: dict[int, Interval]

    def predicted(self, m: int) -> float:
        """`(1 + (m - 1) rho) / m`."""
        return (1.0 + (m - 1) * self.correlation.mean) / m

    @property
    def worth(self) -> float:
        """How many independent agents all of them are worth."""
        return 1.0 / self.variance[max(self.variance)].mean


def cases(results: Json) -> list[Case]:
    """What was measured, over seeds."""
    found = []
    for world, seeds in results["measured"].items():
        for same in zip(*seeds, strict=True):
            variance = {int(m): interval([one["variance"][m] for one in same]) for m in same[0]["variance"]}
            correlation = interval([one["correlation"] for one in same])
            baseline = same[0]["baseline"].replace("_", "-")
            found.append(Case(world, baseline, same[0]["reward"], correlation, variance))
    return found


def draw(results: Json) -> Figure:
    """A row for each world, a column for each reward, a colour for each baseline."""
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    grid = figure.subplots(len(WORLDS), len(REWARDS), squeeze=False, sharex=True, sharey=True)
    shown = cases(results)
    for row, world in enumerate(WORLDS):
        for column, reward in enumerate(REWARDS):
            axes = grid[row][column]
            axes.set_title(f"{world}, {reward} reward", fontsize=10)
            pair = [case for case in shown if (case.world, case.reward) == (world, reward)]
            for case, colour in zip(pair, ("#08519c", "#e6550d"), strict=True):
                _draw_case(axes, case, colour)
            m = np.array(sorted(pair[0].variance))
            axes.plot(m, 1.0 / m, color="#636363", linestyle=":", label="1/m: agents independent")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            axes.set_xticks(m, [str(number) for number in m])
            axes.set_yticks([2.0**-power for power in range(4)], ["1", "1/2", "1/4", "1/8"])
            axes.set_ylim(0.09, 1.2)
            axes.grid(alpha=0.3)
            axes.legend(fontsize=7, loc="lower left")
    for axes in grid[-1]:
        axes.set_xlabel("agents averaged over")
    for axes in grid[:, 0]:
        axes.set_ylabel("variance, one agent's = 1")
    return figure


def _draw_case(axes: Axes, case: Case, colour: str) -> None:
    m = sorted(case.variance)
    measured = [case.variance[number] for number in m]
    axes.plot(m, [one.mean for one in measured], "o", color=colour, markersize=4, label=f"{case.baseline}: measured")
    axes.fill_between(m, [one.low for one in measured], [one.high for one in measured], color=colour, alpha=0.15, lw=0)
    predicted = f"(1 + (m - 1) {case.correlation.mean:.3f}) / m"
    axes.plot(m, [case.predicted(number) for number in m], color=colour, linestyle="--", linewidth=1, label=predicted)


def table(results: Json) -> str:
    """A row per case."""
    shown = cases(results)
    most = max(shown[0].variance)
    sizes = [m for m in (2, 4, 8) if m <= most]
    headings = ["world", "reward", "baseline", "correlation of two agents"]
    headings += [f"variance at m = {m} (1/m; predicted)" for m in sizes] + [f"{most} agents are worth"]
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for case in shown:
        cells = [case.world, case.reward, case.baseline, case.correlation.text(3)]
        cells += [f"{case.variance[m].text(3)} ({1 / m:.3f}; {case.predicted(m):.3f})" for m in sizes]
        lines.append("| " + " | ".join([*cells, f"{case.worth:.1f} independent ones"]) + " |")
    return "\n".join(lines)


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Where averaging helps as much as it can, and where not."""
    found = []
    for case in cases(results):
        most = max(case.variance)
        found.append(
            f"*{case.world}, {case.reward} reward, baseline {case.baseline}*: the gradients of two agents "
            f"correlate by {case.correlation.text(3)}; averaging over {most} agents leaves "
            f"{case.variance[most].text(3)} of one agent's variance where independent agents would leave "
            f"{1 / most:.3f} and the correlation predicts {case.predicted(most):.3f}: they are worth {case.worth:.1f} "
            "independent ones."
        )
    return found


STUDY = Study(
    title="Variance: how much averaging over agents helps",
    question="Compared with one agent's gradient, the variance of the mean gradient of N agents falls by up to N. "
    "How far does it fall in practice, and what determines it?",
    about="One policy for eight agents, trained for 30 updates with mixed rewards and then held fixed, in two "
    "environments. In `spread` the randomness of an agent's reward is mostly its own. In `weather` agents"
    " are rewarded for moving with a wind that nobody observes and that is the same for all of them in an"
    " episode: the randomness is shared, and is reduced by more episodes only, not by more agents. The "
    "policy plays 200 tasks of 8 episodes; for each task the gradient of each agent alone is taken. The "
    "variance of a gradient is the trace of its covariance over tasks. It is measured, for m agents, on "
    "one half of the tasks (mean over choices of m agents), and compared with 1/m and with (1 + (m - 1) ·"
    " correlation) / m, with the correlation measured on the other half. Seeds differ in the policy and "
    "in the episodes.",
    measure=measure,
    draw=draw,
    table=table,
    findings=findings,
)
