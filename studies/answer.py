"""`docs/studies/README.md`: the question that Chorus answers, in plain words, with numbers from the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chorus.studies import baselines, curves, lag, memory, page, passes, reduction, rewards, sharing, variance
from chorus.studies.run import Json
from chorus.studies.study import Study

STUDIES: dict[str, Study] = {
    "sharing": sharing.STUDY,
    "rewards": rewards.STUDY,
    "reduction": reduction.STUDY,
    "variance": variance.STUDY,
    "baselines": baselines.STUDY,
    "passes": passes.STUDY,
    "memory": memory.STUDY,
    "lag": lag.STUDY,
}
"""In the order in which the answer comes to them."""

OPENING = """# One policy for a team: the question, and what was measured

> A team learns by vanilla policy gradient (REINFORCE), with one network for each agent. The agents are of one class,
> have similar observations and an LSTM state each, and get an individual reward and a team reward; the individual
> reward is shaping that helps with the harder team task. Can one network serve them all, to cut training time? How are
> the rewards combined, and is the loss summed or averaged?

This page is written by the command that does the studies (`make studies`): every number and every verdict below is
computed from the results beside it. ± is half a 95 % t interval over seeds. A difference is called one only if it
holds when all the comparisons of its study are judged together (Holm 1979). The networks are plain: the studies, as
the question, leave out the layer normalisation that runs have by default (`network.layer_norm`)."""


@dataclass(frozen=True)
class Answer:
    """One part of the answer.

    Attributes:
        question: the heading.
        theory: what is so by mathematics, whatever is measured.
        study: whose results are told.
        told: the sentences from those results.
    """

    question: str
    theory: str
    study: str
    told: Callable[[Json], Sequence[str]]


def _of(study: str, *starts: str) -> Callable[[Json], list[str]]:
    """The findings of a study that begin so; all if nothing is named."""
    return lambda results: [
        sentence for sentence in STUDIES[study].told(results) if not starts or sentence.startswith(starts)
    ]


ANSWERS = (
    Answer(
        "Can one network serve them all, and does that save time?",
        "Agents that share a network (parameter sharing) still behave differently, because their observations"
        " and LSTM states differ; an agent id in the observation lets them specialise further. One network "
        "learns from the experience of all agents, and one forward pass over all agents' rows costs less than"
        " a pass for each.",
        "sharing",
        _of("sharing", *(f"*{name}*" for name in sharing.TEAMS.values())),
    ),
    Answer(
        "Where is one network wrong?",
        "Where agents have opposite goals, or different observations and actions. `sharing: groups` then "
        "gives each group a policy (`sharing: all` refuses agents whose spaces differ anyway).",
        "sharing",
        _of("sharing", "*Adversaries*"),
    ),
    Answer(
        "How are the rewards combined?",
        "`w_individual · r_i + w_team · r_team`, mixed in the learner; each weight may follow a schedule. The"
        " individual reward credits an agent with its own actions. The team reward is the goal, but every "
        "agent's action is only one of many causes of it. Shaping that stays also keeps its bias; shaping "
        "that fades out does not.",
        "rewards",
        _of("rewards"),
    ),
    Answer(
        "Is the loss summed or averaged?",
        "One loss over all agents, one backward pass, one step. The gradient of the shared network is the sum"
        " of the gradients of private copies; averaging only rescales it, so sum and mean differ by a factor "
        "in the learning rate. Averaging keeps that rate valid when the size of the batch or of the team "
        "changes. A step for one agent after another is neither: from the second agent on, the data comes "
        "from a policy that has changed.",
        "reduction",
        _of("reduction", "On one batch", "*SGD*", "*Adam*", f"*{reduction.ADAM}*", f"*{reduction.SGD}*"),
    ),
    Answer(
        "How much does averaging over agents help?",
        "The variance of the mean of N equally distributed gradients with correlation ρ is (1 + (N - 1) ρ) / "
        "N of the variance of one: 1/N if they are uncorrelated, and never less than ρ, however many there "
        "are.",
        "variance",
        _of(
            "variance",
            *(
                f"*{world}, {each} reward, baseline leave-one-out*"
                for world in variance.WORLDS
                for each in variance.REWARDS
            ),
        ),
    ),
    Answer(
        "Should there be a baseline?",
        "Subtracting from a return the mean return of other episodes at the same time step does not change "
        "the mean of the gradient and reduces its variance. The baseline must not come from the agents of the"
        " same episode, whose returns depend on this agent's actions.",
        "baselines",
        _of("baselines"),
    ),
    Answer(
        "May a batch be used again?",
        "After the first step the policy is no longer the one that played, so later steps weigh each action by how "
        "much likelier it has become, and stop where that goes too far.",
        "passes",
        _of("passes"),
    ),
    Answer(
        "Is the LSTM needed?",
        "It is, where the right action depends on earlier observations.",
        "memory",
        _of("memory"),
    ),
    Answer(
        "May actors run ahead of the learner?",
        "With a policy lag, batches come from a policy version some updates old. The clipped importance ratio"
        " weights each action by how much likelier or less likely it has become. This corrects for the "
        "action, but not for the states visited.",
        "lag",
        _of("lag"),
    ),
)


def write(out: Path) -> Path:
    """Write `README.md` from the results that are there; return it."""
    results = {name: json.loads(path.read_text()) for name in STUDIES if (path := out / f"{name}.json").exists()}
    parts = [OPENING]
    for answer in ANSWERS:
        parts.append(f"## {answer.question}\n\n{answer.theory}")
        if answer.study in results:
            told = "\n".join(f"- {sentence}" for sentence in answer.told(results[answer.study]))
            parts.append(f"Measured ([{answer.study}]({answer.study}.md)):\n\n{told}")
        else:
            parts.append(f"Not measured yet: `chorus study {answer.study}`.")
    parts.append(_contents(results))
    path = out / "README.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _contents(results: dict[str, Json]) -> str:
    lines = ["## The studies", "", "| study | command | date | seeds | took |", "|---|---|---|---|---|"]
    for name, study in STUDIES.items():
        if name in results:
            of = results[name]
            seeds = of["seeds"] if name == "variance" else len(next(curves.arms(of)).runs)
            cells = [of["date"], str(seeds), page.took(of)]
            lines.append(f"| [{study.title}]({name}.md) | `chorus study {name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)
