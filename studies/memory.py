"""Study `memory`: when an LSTM is worth having."""

from __future__ import annotations

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

SEEN = 4
HIDDEN, SHOWN = f"landmarks seen in the first {SEEN} steps only", "landmarks always seen"
ARMS: dict[str, Json] = {"LSTM": {"network": {"memory": "lstm"}}, "no memory": {"network": {"memory": "none"}}}
PANELS = [
    Panel(HIDDEN, ARMS, {"environment": {"spec": f"chorus.studies.worlds:blind?agents=2&steps=20&seen={SEEN}"}}),
    Panel(SHOWN, ARMS, {"environment": {"spec": "chorus.studies.worlds:blind?agents=2&steps=20&seen=21"}}),
]


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    return {"panels": carry_out(PANELS, quickly(TO_THE_END) if quick else TO_THE_END, work)}


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Both worlds."""
    found = []
    for name in results["panels"]:
        lstm, none = curves.arms(results, name)
        found.append(f"*{name}*: {curves.verdict(lstm, none, comparisons)}.")
    return found


STUDY = Study(
    title="Memory: an LSTM, or none",
    question="Each agent has an LSTM with a state of its own. When is it needed?",
    about="`spread` with two agents and 20 steps; the reward of each agent is minus its distance from the "
    f"nearest landmark. In one panel the landmarks are visible in the first {SEEN} steps of an episode and"
    " are zeros from then on, so a policy must remember where they were; in the other they are always "
    "visible. `no memory` has a linear layer with a ReLU of the same width in place of the LSTM.",
    measure=measure,
    draw=curves.draw,
    table=curves.table,
    findings=findings,
)
