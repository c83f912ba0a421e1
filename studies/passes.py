"""Study `passes`: going through a batch once, or again, where playing is cheap and where it is expensive."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from chorus.studies import curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

SHORT = 94
"""Updates where playing is expensive: 150 000 environment steps."""
ONE, TWO, FOUR, EIGHT = "one pass", "two passes", "four passes", "eight passes"
ARMS: dict[str, Json] = {
    name: {"update": {"passes": passes}} for name, passes in ((ONE, 1), (TWO, 2), (FOUR, 4), (EIGHT, 8))
}
CHEAP, EXPENSIVE = "spread, built in: cheap to play", "the same game by mpe2: expensive to play"
PANELS = [
    Panel(CHEAP, ARMS, {"environment": {"spec": "spread?agents=3"}}),
    Panel(EXPENSIVE, ARMS, {"environment": {"spec": "pettingzoo:mpe2.simple_spread_v3?N=3"}}, team=0.0, individual=1.0),
]


def measure(work: Work, quick: bool) -> Json:
    """All of it."""
    scale = quickly(TO_THE_END) if quick else TO_THE_END
    panels = carry_out([PANELS[0]], scale, work)
    short = scale if quick else replace(TO_THE_END, updates=SHORT, evaluations=5)
    panels |= carry_out([PANELS[1]], short, work, panels[CHEAP]["arms"])
    return {"panels": panels}


def draw(results: Json) -> Figure:
    """Against steps and against time."""
    return curves.draw(results, ("env_steps", "seconds"))


def table(results: Json) -> str:
    """With how far the later passes went from the policy that had played."""
    return curves.table(results, [("KL", "kl", 4), ("share clipped", "surrogate_clipped", 3)])


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Each number of passes beside the one before it, and what the return of one pass costs with four."""
    found = []
    for name in results["panels"]:
        one, two, four, eight = curves.arms(results, name)
        pairs = ((two, one), (four, two), (eight, four))
        found += [f"*{name}*: {curves.verdict(ours, theirs, comparisons)}." for ours, theirs in pairs]
        found.append(f"*{name}*: {curves.catching_up(four, one)}.")
    return found


STUDY = Study(
    title="Passes: once through a batch, or again",
    question="REINFORCE takes one step from a batch and throws it away. May it be used again, and what is that worth "
    "in environment steps and in time?",
    about="`update.passes` times through each batch, one step each. The first is REINFORCE; later ones follow the "
    "clipped surrogate (Schulman et al. 2017), since the policy is then no longer the one that played. Advantages are "
    "taken once. Time is the processor time of the one process that plays and learns, evaluations left out: where "
    "playing is most of it, a pass more is nearly free; where the environment is cheap, it is not. By mpe2 it is the "
    "same game, so each arm keeps the rate that it chose where playing is cheap, and a run has a third of the steps.",
    measure=measure,
    draw=draw,
    table=table,
    findings=findings,
)
