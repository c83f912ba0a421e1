"""Study `rewards`: which parts of the reward to learn from."""

from __future__ import annotations

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

DENSE, HARD = "spread: team reward dense", "sparse: team reward hard to find"


def panels(updates: int) -> list[Panel]:
    """The same four arms in two worlds, which differ in what is hard."""
    fading = {"kind": "linear", "start": 0.5, "end": 0.0, "over": max(1, updates // 2)}
    arms: dict[str, Json] = {
        "individual only": {"reward": {"individual": 0.5, "team": 0.0}},
        "team only": {"reward": {"individual": 0.0, "team": 0.5}},
        "mixed": {"reward": {"individual": 0.5, "team": 0.5}},
        "mixed, individual fades": {"reward": {"individual": fading, "team": 0.5}},
    }
    return [
        Panel(DENSE, arms, {"environment": {"spec": "spread?agents=3"}}),
        Panel(HARD, arms, {"environment": {"spec": "chorus.studies.worlds:sparse?agents=2"}}, individual=0.0, team=1.0),
    ]


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    scale = quickly(TO_THE_END) if quick else TO_THE_END
    return {"panels": carry_out(panels(scale.updates), scale, work)}


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """In each world, mixed beside the others."""
    found = []
    for name in results["panels"]:
        own, team, mixed, fading = curves.arms(results, name)
        found += [f"*{name}*: {curves.verdict(mixed, other, comparisons)}." for other in (team, own, fading)]
    return found


STUDY = Study(
    title="Rewards: the agent's own, the team's, or both",
    question="Agents get a reward for what each does and one for what the team achieves. Which should they learn from?",
    about="Two environments. In `spread` (3 agents) the team reward is dense (minus the distance of every "
    "landmark from its nearest agent) and the individual reward is a goal of its own (-1 per collision); "
    "the arms are compared by a return that is half of each. In `sparse` (2 agents) the team gets 1 per "
    "step while every landmark is covered, which is hard to find, and the individual reward is minus the "
    "distance from the agent's nearest landmark. That is shaping only: by itself it would let both agents"
    " go to the same landmark. There the arms are compared by the team's return alone. `fades` takes the "
    "weight of the individual reward to 0 in the first half of the run.",
    measure=measure,
    draw=curves.draw,
    table=curves.table,
    findings=findings,
)
