"""Study `lag`: what learning from older policies' episodes costs, and what the importance ratio mends."""

from __future__ import annotations

from dataclasses import replace

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

LAGS = (1, 2, 4)
SCALE = replace(TO_THE_END, rates=(TO_THE_END.rates[0] / 2, *TO_THE_END.rates))
"""A smaller rate than elsewhere: without the ratio, the oldest versions want one."""
PANEL = Panel(
    "spread, 3 agents",
    {
        "lag 0": {},
        **{f"lag {lag}": {"lag": lag} for lag in LAGS},
        **{f"lag {lag}, no ratio": {"lag": lag, "loss": {"importance_clip": None}} for lag in LAGS},
    },
    {"environment": {"spec": "spread?agents=3"}},
)


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    return {"panels": carry_out([PANEL], quickly(SCALE) if quick else SCALE, work)}


def table(results: Json) -> str:
    """With how far the importance ratios went."""
    return curves.table(results, [("mean ratio", "ratio_mean", 3), ("greatest ratio", "ratio_max", 2)])


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Each lag beside none, with and without the ratio."""
    by_name = {one.name: one for one in curves.arms(results)}
    found = [f"{curves.verdict(by_name[f'lag {lag}'], by_name['lag 0'], comparisons)}." for lag in LAGS]
    return found + [
        f"{curves.verdict(by_name[f'lag {lag}'], by_name[f'lag {lag}, no ratio'], comparisons)}." for lag in LAGS
    ]


STUDY = Study(
    title="Lag: learning from episodes of an older policy version",
    question="With a policy lag, actors play the next batches while the learner still computes, so nobody waits, "
    "but the batches come from policy versions that are 1, 2 or 4 updates old. What does that cost per "
    "environment step, and does the clipped importance ratio help?",
    about="With `lag L`, update u learns from episodes of version max(0, u - L), and each action is weighted by"
    " min(ρ, 1), ρ = π_u / π_(u - L) of that action (Espeholt et al. 2018). `no ratio` omits the weight "
    "(`loss.importance_clip: null`). The ratio corrects for the action alone, not for the states visited."
    " The time that a lag saves is not measured here: all runs are played by one process.",
    measure=measure,
    draw=curves.draw,
    table=table,
    findings=findings,
)
