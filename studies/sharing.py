"""Study `sharing`: one policy for all, one that sees who it is, or one for each; and where one policy is wrong."""

from __future__ import annotations

from matplotlib.figure import Figure

from chorus.studies import adversaries, curves
from chorus.studies.comparisons import Comparisons
from chorus.studies.run import Json
from chorus.studies.study import TO_THE_END, Panel, Study, Work, carry_out, quickly

SHARED, IDENTIFIED, OWN = "one policy", "one policy with agent ids", "a policy per agent"
ARMS: dict[str, Json] = {
    SHARED: {"sharing": {"mode": "all"}},
    IDENTIFIED: {"sharing": {"mode": "all_with_id"}},
    OWN: {"sharing": {"mode": "none"}},
}
TEAMS = {agents: f"spread, {agents} agents" for agents in (3, 8)}


def panels() -> list[Panel]:
    """Two sizes of team; tasks shrink with the team, so that batches have about as many agent-steps."""
    return [
        Panel(
            name,
            ARMS,
            {"environment": {"spec": f"spread?agents={agents}"}, "task": {"episodes": 64 if agents == 3 else 24}},
        )
        for agents, name in TEAMS.items()
    ]


def measure(work: Work, quick: bool) -> Json:
    """Cooperation, then adversaries."""
    scale = quickly(TO_THE_END) if quick else TO_THE_END
    return {"panels": carry_out(panels(), scale, work), "adversaries": adversaries.measure(work, quick)}


def draw(results: Json) -> Figure:
    """Against steps and against time."""
    return curves.draw(results, ("env_steps", "seconds"))


def table(results: Json) -> str:
    """The teams, then the adversaries."""
    return f"{curves.table(results)}\n\n{adversaries.table(results['adversaries'])}"


def findings(results: Json, comparisons: Comparisons) -> list[str]:
    """Each way of sharing beside the others, in return and in time."""
    found = []
    for name in TEAMS.values():
        shared, identified, own = curves.arms(results, name)
        found += [
            f"*{name}*: {curves.verdict(shared, own, comparisons)}.",
            f"*{name}*: {curves.verdict(identified, shared, comparisons)}.",
        ]
        times = own.column("seconds")[-1] / shared.column("seconds")[-1]
        found.append(
            f"*{name}*: a policy per agent takes {times:.1f} times the processor time of one policy for the same "
            f"steps; {curves.catching_up(shared, own)}."
        )
    return found + adversaries.findings(results["adversaries"], comparisons)


STUDY = Study(
    title="Sharing: one policy for all agents, or one for each",
    question="The agents are alike. Can one network serve them all (parameter sharing), and does that cut training"
    " time?",
    about="`spread` with 3 and with 8 agents. `with agent ids` appends a one-hot agent id to the observation. "
    "Time is the processor time of the one process that plays and learns, without evaluations. Where "
    "agents have opposite goals one policy is wrong: the last table has `tag`, with one chaser and two "
    "runners whose observations and actions have the same form. There, policies play against untrained "
    "ones and against one another: `sharing: groups` gives the chaser and the runners a policy each, "
    "`sharing: all` gives one policy to all three.",
    measure=measure,
    draw=draw,
    table=table,
    findings=findings,
)
