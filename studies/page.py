"""The page of a study: its picture, its table, and what they say."""

from __future__ import annotations

from pathlib import Path

from chorus.studies import curves
from chorus.studies.run import Json
from chorus.studies.study import Study


def write(name: str, study: Study, results: Json, out: Path) -> Path:
    """Write `NAME.md` and `NAME.png`; return the page."""
    figure = study.draw(results)
    figure.savefig(out / f"{name}.png", dpi=100)
    path = out / f"{name}.md"
    found = "\n".join(f"- {sentence}" for sentence in study.told(results))
    path.write_text(
        f"# {study.title}\n\n{_stamp(name, results)}\n\n{study.question}\n\n![{study.title}]({name}.png)\n\n"
        f"{study.table(results)}\n\n## Results\n\n{found}\n\n## How it was measured\n\n{study.about}\n\n"
        f"{_method(name, results)}\n"
    )
    return path


def _stamp(name: str, results: Json) -> str:
    command = f"chorus study {name}" + (" --quick" if results["quick"] else "")
    warning = " **A quick run: it tests the study, its numbers mean nothing.**" if results["quick"] else ""
    return f"`{command}`, {results['date']}, {took(results)}.{warning}"


def took(results: Json) -> str:
    """How long a study took, and on how much."""
    cores = "one core" if results["cores"] == 1 else f"{results['cores']} cores"
    return f"{results['wall_seconds'] / 60.0:.1f} minutes on {cores}"


def _method(name: str, results: Json) -> str:
    if name == "variance":
        return "Bands are 95 % t intervals over seeds."
    one = next(curves.arms(results))
    trials = len(next(iter(one.trials.values())))
    tried = "one seed that is" if trials == 1 else f"{trials} seeds that are"
    grids = dict.fromkeys(", ".join(f"{rate:g}" for rate in arm.trials) for arm in curves.arms(results))
    weights = sorted({arm.weights for arm in curves.arms(results)}, reverse=True)
    returns = " or ".join(f"{own:g} · individual + {team:g} · team" for own, team in weights)
    return (
        f"Every arm takes its learning rate from a grid ({' or '.join(grids)}; falling linearly to a tenth), by the "
        f"mean result on {tried} not reported. Results are of {len(one.runs)} other seeds: the mean return "
        f"of the last two evaluations, each of fresh episodes by the sampling policy, summed over agents: {returns}, "
        "whatever the arm learns from. A run is long enough for an arm whose curve is flat at its end: where the last "
        "fifth adds less than a twentieth to what the run gained. Bands and ± are 95 % t intervals over seeds. "
        "Differences are paired by seed, "
        "and told only if they hold when all comparisons of the study are judged together (Holm 1979). Each run is "
        "one process and one thread, and has the bits that a learner with any number of actors would have."
    )
