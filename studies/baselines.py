"""Study `baselines`: what subtracting a baseline brings, and whether it has to be learned."""

from __future__ import annotations

from dataclasses import replace

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

SCALE = replace(TO_THE_END, seeds=10)
"""More seeds than elsewhere: the baselines that learn at all differ by little."""
PANEL = Panel(
    "spread, 3 agents",
    {
        "none": {"loss": {"baseline": "none"}},
        "leave-one-out": {"loss": {"baseline": "leave_one_out"}},
        "value, a head": {"loss": {"baseline": "value"}},
        "value, its own network": {"loss": {"baseline": "value"}, "value": {"network": "own"}},
        "value that sees the team": {"loss": {"baseline": "value"}, "value": {"network": "own", "sees": "team"}},
    },
    {"environment": {"spec": "spread?agents=3"}},
)


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    return {"panels": carry_out([PANEL], quickly(SCALE) if quick else SCALE, work)}


def table(results: Json) -> str:
    """With what the baselines explain of the returns."""
    return curves.table(results, [("variance of returns explained", "explained_variance", 2)])


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Each baseline beside none, and the learned ones beside leave-one-out."""
    none, other, head, own, team = curves.arms(results)
    pairs = ((other, none), (head, none), (head, other), (own, other), (team, own))
    explained = ", ".join(f"{arm.mean('explained_variance'):.2f} ({arm.name})" for arm in (other, head, own, team))
    return [
        *(f"{curves.verdict(ours, theirs, comparisons)}." for ours, theirs in pairs),
        f"Of the variance of returns among the actions of one step, the baselines explain {explained}.",
    ]


STUDY = Study(
    title="Baselines: none, the other episodes, a learned value",
    question="Vanilla REINFORCE credits an action with all that followed. Subtracting what was to be expected anyway "
    "leaves the gradient's mean and takes variance away. How much does that bring, and must the expectation be "
    "learned?",
    about="`none` is vanilla REINFORCE. `leave-one-out` subtracts the mean return, at the same step and for the same "
    "agent, of the other 63 episodes of the task. `value` learns a baseline, fitted to λ-returns with λ = 0.95: by a "
    "head on the policy's network, by a network of its own, or by one of its own that is shown what the whole team "
    "observes (MAPPO, Yu et al. 2022), which only the learner ever needs. What is explained is counted within "
    "the actions of one step, the mean over the whole run.",
    measure=measure,
    draw=curves.draw,
    table=table,
    findings=findings,
)
