"""Study `baselines`: what subtracting a baseline brings, and whether it has to be learned."""

from __future__ import annotations

from chorus.studies import curves
from chorus.studies.run import Json
from chorus.studies.study import Panel, Scale, Study, Work, carry_out, quickly

SCALE = Scale(updates=160, rates=(2e-3, 5e-3, 1e-2))
PANEL = Panel(
    "spread, 3 agents",
    {
        "none": {"loss": {"baseline": "none"}},
        "leave-one-out": {"loss": {"baseline": "leave_one_out"}},
        "value, a head": {"loss": {"baseline": "value"}},
        "value, its own network": {"loss": {"baseline": "value"}, "value": {"network": "own"}},
    },
    {"environment": {"spec": "spread?agents=3"}},
)


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    return {"panels": carry_out([PANEL], quickly(SCALE) if quick else SCALE, work)}


def table(results: Json) -> str:
    """With what the baselines explain of the returns, and how much of a gradient is signal."""
    return curves.table(
        results,
        [("variance of returns explained", "explained_variance", 2), ("signal to noise", "signal_to_noise", 2)],
    )


def findings(results: Json) -> list[str]:
    """Each baseline beside none, and the learned ones beside leave-one-out."""
    none, other, head, own = curves.arms(results)
    return [
        f"{curves.verdict(other, none)}.",
        f"{curves.verdict(head, none)}.",
        f"{curves.verdict(head, other)}; {curves.verdict(own, other)}.",
        f"Leave-one-out explains {other.mean('explained_variance'):.2f} of the variance of returns, and has nothing to "
        f"learn first; the value explains {head.mean('explained_variance'):.2f} (a head) and "
        f"{own.mean('explained_variance'):.2f} (its own network).",
    ]


STUDY = Study(
    title="Baselines: none, the other episodes, a learned value",
    question="Vanilla REINFORCE credits an action with all that followed. Subtracting what was to be expected anyway "
    "leaves the gradient's mean and takes variance away. How much does that bring, and must the expectation be "
    "learned?",
    about="`none` is vanilla REINFORCE. `leave-one-out` subtracts the mean return, at the same step and for the same "
    "agent, of the other 15 episodes of the task. `value` learns a baseline, fitted to λ-returns with λ = 0.95. "
    "Signal to noise is that of the whole gradient, which for `value` is also that of the value's own loss, and of "
    "little noise: it compares `none` with `leave-one-out`, not these with `value`.",
    measure=measure,
    draw=curves.draw,
    table=table,
    findings=findings,
)
