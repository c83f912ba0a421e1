"""Study `reduction`: whether the loss is summed or averaged, and why Adam hardly cares."""

from __future__ import annotations

from math import isfinite

from matplotlib.figure import Figure

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import Panel, Scale, Study, Work, carry_out, quickly

EPISODES, AGENTS, LONGEST, LEAST = 48, 3, 25, 5
AGENT_STEPS = EPISODES * AGENTS * (LONGEST + LEAST) / 2.0
"""Of a batch, in the mean: what a sum is longer by than a mean."""
RATES = {"sgd": (0.3, 1.0, 3.0, 10.0, 30.0, 100.0), "adam": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)}
UPDATES = 150
ADAM, SGD = "Adam, no clip", "SGD, no clip"


def panels(optimiser: str, label: str) -> list[Panel]:
    """The four reductions by an optimiser, without and with the clip."""
    arms: dict[str, Json] = {
        name: {"loss": {"reduction": name}} for name in ("mean", "agent_mean", "sum", "sequential")
    }
    return [
        Panel(
            f"{label}, {'no clip' if clip is None else f'clip at norm {clip:g}'}",
            arms,
            {
                "environment": {
                    "spec": f"chorus.studies.worlds:batteries?agents={AGENTS}&steps={LONGEST}&least={LEAST}"
                },
                "task": {"episodes": EPISODES},
                "optimiser": {"name": optimiser, "clip": clip},
            },
            divisors={"sum": AGENT_STEPS} if optimiser == "sgd" and clip is None else {},
        )
        for clip in (None, 1.0)
    ]


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    found: Json = {}
    for optimiser, label in (("sgd", "SGD"), ("adam", "Adam")):
        scale = Scale(UPDATES, RATES[optimiser])
        found |= carry_out(panels(optimiser, label), quickly(scale) if quick else scale, work)
    return {"panels": found}


def draw(results: Json) -> Figure:
    """Above the curves by the best rates; below what every rate of the grid came to on the trial seeds."""
    names = list(results["panels"])
    figure = Figure(figsize=(0.6 + 4.2 * len(names), 7.4), layout="constrained")
    grid = figure.subplots(2, len(names), squeeze=False, sharey="row")
    for place, panel in enumerate(names):
        for number, one in enumerate(curves.arms(results, panel)):
            curves.curve(grid[0][place], one, "env_steps", number)
            tried = {rate: values for rate, values in one.trials.items() if None not in values}
            grid[1][place].plot(
                list(tried),
                [sum(value for value in values if value is not None) / len(values) for values in tried.values()],
                color=curves.COLOURS[number],
                linestyle=curves.DASHES[number],
                marker="osD^"[number],
                markersize=4,
                alpha=0.85,
                label=one.name,
            )
        grid[0][place].set_title(panel, fontsize=10)
        grid[0][place].set_xlabel("environment steps (thousands), by the best rate")
        grid[1][place].set_xscale("log")
        grid[1][place].set_xlabel("learning rate (trial seeds; no point: diverged)")
        for axes in (grid[0][place], grid[1][place]):
            axes.grid(alpha=0.3)
    grid[0][0].legend(fontsize=8, loc="lower right")
    begin = min(float(one.returns[:, 0].mean()) for one in curves.arms(results))
    gained = max(one.result.mean for one in curves.arms(results)) - begin
    for row in (0, 1):
        grid[row][0].set_ylabel("evaluation return")
        if gained > 0.0:  # what fell far below the start is off the picture, so that the rest can be told apart
            grid[row][0].set_ylim(begin - 0.7 * gained, begin + 1.2 * gained)
    return figure


def table(results: Json) -> str:
    """With the norms of the gradients."""
    return curves.table(results, [("gradient norm", "gradient_norm", 3), ("share clipped", "clipped", 2)])


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """How far apart sum and mean are in scale, and what each optimiser makes of it."""
    found = []
    sgd, adam = curves.arm(results, SGD, "mean"), curves.arm(results, ADAM, "mean")
    sgd_sum, adam_sum = curves.arm(results, SGD, "sum"), curves.arm(results, ADAM, "sum")
    times = adam_sum.column("gradient_norm")[1] / adam.column("gradient_norm")[1]
    if isfinite(times):
        found.append(
            "On one batch the summed gradient is the mean one times the number of agent-steps: the direction is the"
            f" same. At the first evaluation, when the two runs differ already, it is {times:.0f} times as long."
        )
    chosen = sgd_sum.rate * AGENT_STEPS
    found += [
        f"*SGD* multiplies its step by that number. So `sum` has the grid of `mean` divided by {AGENT_STEPS:g}, the"
        f" agent-steps of a batch in the mean; it chose {chosen:g} / {AGENT_STEPS:g} where `mean` has {sgd.rate:g}, and"
        f" its rate must change whenever the batch does; {curves.verdict(sgd, sgd_sum, comparisons)}.",
        "*Adam* divides the gradient's running mean by the root of its running mean square, and a constant factor "
        f"stands in both: `sum` and `mean` choose {adam_sum.rate:g} and {adam.rate:g}; "
        f"{curves.verdict(adam, adam_sum, comparisons)}. With Adam, {_gaps(adam, adam_sum)}; with SGD, "
        f"{_gaps(sgd, sgd_sum)}.",
    ]
    for panel in results["panels"]:
        mean = curves.arm(results, panel, "mean")
        for other in ("agent_mean", "sequential"):
            found.append(f"*{panel}*: {curves.verdict(mean, curves.arm(results, panel, other), comparisons)}.")
    return found


def _gaps(mean: curves.Arm, total: curves.Arm) -> str:
    """How far apart two arms' trial results are at the rates where neither ends worse than it began."""
    begin = float(mean.returns[:, 0].mean())
    gaps = []
    for ours, theirs in zip(mean.trials.values(), total.trials.values(), strict=True):
        pairs = list(zip(ours, theirs, strict=True))
        if all(one is not None and other is not None and min(one, other) > begin for one, other in pairs):
            gaps.append(max(abs(one - other) for one, other in pairs if one is not None if other is not None))
    if not gaps:
        return "there is no rate of the grid at which both learn"
    return f"at the {len(gaps)} rates of the grid where both learn, trial results differ by at most {max(gaps):.1f}"


STUDY = Study(
    title="Reduction: mean, a mean per life, sum, or one agent after another",
    question="One loss over all agents: is it summed or averaged? And why not take a step for one agent after the "
    "other?",
    about="`spread` with three agents whose batteries last from 5 to 25 steps, so lives are of unequal length; "
    "the reward of each agent is minus its distance from the nearest landmark. `mean` divides the loss of"
    " the batch by its agent-steps. `agent_mean` gives every life the same weight, which is a different "
    "objective. `sum` does not divide. `sequential` takes a step for each agent in turn, so all but the "
    "first learn from episodes of a policy that has changed since. Each optimiser has a grid of learning "
    "rates of its own; with SGD and no clip that of `sum` is divided by the agent-steps of a batch.",
    measure=measure,
    draw=draw,
    table=table,
    findings=findings,
)
