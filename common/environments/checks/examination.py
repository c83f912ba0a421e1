"""An environment examined: whole episodes played with random actions, and what was found."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chorus.common.environments import progress
from chorus.common.environments.checks.episode_monitor import EpisodeMonitor
from chorus.common.environments.checks.finding import Finding, Verdict
from chorus.common.environments.checks.purity import SLOW_SECONDS, Level, Purity, PurityResult, prove, random_actions
from chorus.common.environments.checks.weight import resident, weights
from chorus.common.environments.interface import Environment, EnvironmentSpec
from chorus.common.environments.registry import make
from chorus.common.errors import EnvironmentFault

BATCH = 8  # episodes played side by side
LONG_ENOUGH_SECONDS = 0.5
"""What took so long in all is timed well enough."""
PLAYED_AGAIN = 8
LARGE = 10.0  # observations beyond this want normalising


@dataclass(frozen=True)
class Examination:
    """All that was found.

    Attributes:
        spec: the spec string.
        findings: in the order found.
        digest: of a fresh instance's episodes, to compare with another process's; empty if it never got so far.
        reproducible: whether equal seeds give equal episodes in this process.
        at_once: how many instances these episodes were played by; 0 for one for each.
    """

    spec: str
    findings: tuple[Finding, ...]
    digest: str = ""
    reproducible: bool = False
    at_once: int = 0

    @property
    def trainable(self) -> bool:
        """Whether Chorus could train on it."""
        return all(finding.verdict is not Verdict.FAULT for finding in self.findings)


def examine(
    spec: str, *, episodes: int, seed: int, steps: int, level: Level = "full", instances: int | None = None
) -> Examination:
    """Make the environment, prove it pure or not, and play it.

    Args:
        spec: the spec string.
        episodes: how many to play.
        seed: of these episodes.
        steps: an episode not over after so many is given up, unless the environment itself promises a later end.
        level: of the proof, as `environment.proof` has it.
        instances: how many may live at once; None for as many as are of use.
    """
    findings: list[Finding] = []
    met: list[EnvironmentSpec] = []
    found: PurityResult | None = None
    seconds: list[float] = []
    held = resident()

    def make_one() -> Environment:
        began = time.perf_counter()
        environment = make(spec)
        seconds.append(time.perf_counter() - began)
        if not met:
            met.append(environment.spec)
            findings.extend(_introduced(environment.spec))
        return environment

    try:
        environment, found = prove(make_one, level=level, instances=instances)
        try:
            findings.append(_purity(found))
            at_once = _at_once(environment.spec, found.seconds, instances)
            findings += _played(environment, episodes, seed, steps, at_once)
            findings += weights(environment, seconds, resident() - held, at_once)
        finally:
            environment.close()
    except EnvironmentFault as fault:
        text, _, remedy = str(fault).rpartition("; ")
        findings.append(
            Finding("rules", text, Verdict.FAULT, remedy) if text else Finding("rules", remedy, Verdict.FAULT)
        )
    except BaseException as error:
        findings.append(_crash(error))
    if found is None:
        return Examination(spec, tuple(findings))
    return Examination(spec, tuple(findings), found.digest, found.reproducible, found.at_once or 0)


def _at_once(spec: EnvironmentSpec, seconds: float, instances: int | None) -> int:
    """How many episodes to play side by side."""
    limit = min(instances or BATCH, spec.instances or BATCH, BATCH)
    return 1 if seconds > SLOW_SECONDS else limit


def _introduced(spec: EnvironmentSpec) -> Iterator[Finding]:
    """What the environment says of itself."""
    yield Finding("package", spec.package)
    names = [agent.name for agent in spec.agents]
    yield Finding("agents", f"{len(names)}: {', '.join(names[:6])}{', …' if len(names) > 6 else ''}")
    kinds: dict[tuple[str, str], list[str]] = {}
    for agent in spec.agents:
        seen = "×".join(map(str, agent.observation_shape))
        if agent.choices:
            done = f"discrete {'×'.join(map(str, agent.choices))}"
        else:
            low, high = min(low for low, _ in agent.bounds), max(high for _, high in agent.bounds)
            done = f"continuous {len(agent.bounds)} in {low:g} … {high:g}"
        kinds.setdefault((seen, done), []).append(agent.name)
    for (seen, done), members in kinds.items():
        who = "" if len(kinds) == 1 else f" ({', '.join(members[:3])}{', …' if len(members) > 3 else ''})"
        picture = ", a picture" if seen.count("×") == 2 else ""
        yield Finding("observations", f"{seen}{picture}{who}")
        yield Finding("actions", f"{done}{', masked' if spec.action_masks else ''}{who}")
    if any(len(agent.observation_shape) == 3 for agent in spec.agents):
        yield Finding(
            "pictures",
            "what has three dimensions is taken for height, width and channels and goes through convolutions",
            Verdict.NOTE,
            "if it is none, as the board of a game, set network.channels to [], which flattens it",
        )
    if len(kinds) > 1:
        yield Finding(
            "sharing",
            f"the agents are of {len(kinds)} kinds, which cannot all share one policy",
            Verdict.NOTE,
            "set sharing.mode to groups, with patterns of agent names, or to none",
        )


def _purity(found: PurityResult) -> Finding:
    purity, message = found.purity, found.message
    if purity is Purity.PURE and message:
        return Finding("reproducible", message, Verdict.NOTE, "look with --proof full before a long run")
    if purity is Purity.PURE:
        return Finding("reproducible", "yes, reused and fresh instances agree")
    text, _, remedy = message.partition(" Remedy: ")
    topic = "reuse" if purity is Purity.FRESH_ONLY else "reproducible"
    return Finding(topic, text, Verdict.NOTE, remedy)


def _played(environment: Environment, episodes: int, seed: int, steps: int, at_once: int) -> Iterator[Finding]:
    """Play whole episodes and say what they were like."""
    spec = environment.spec
    monitor = EpisodeMonitor(spec, getattr(environment, "promises", None))
    limit = max(steps, spec.max_steps or 0)
    size, left, globals_used = min(at_once, episodes), episodes, False
    timed: list[tuple[float, int]] = []
    while left:
        seconds, env_steps, drawn = _play(environment, min(left, size), seed + left, limit, monitor)
        timed.append((seconds, env_steps))
        left -= min(left, size)
        globals_used = globals_used or drawn
    speed = _speed(environment, size, seed, limit, timed)
    yield from _lengths(monitor, spec, limit)
    yield from _rewards(monitor, spec)
    if monitor.deaths or monitor.rebirths:
        yield Finding(
            "lives",
            f"{monitor.deaths} ended in mid-episode, {monitor.rebirths} agents were reborn, in {episodes} episodes",
        )
    if monitor.waits:
        yield Finding("turns", "agents wait while others act; they keep their memory meanwhile")
    if monitor.largest > LARGE:
        yield Finding(
            "scale",
            f"observations reach {monitor.largest:.3g}",
            Verdict.NOTE,
            "let observations be normalised by running statistics",
        )
    for name, value in monitor.strays.items():
        yield Finding(
            "space",
            f"agent {name} observed {value:g}, which its space does not hold; it is taken as it is",
            Verdict.NOTE,
            "let the space promise what the environment shows, or mend what it shows",
        )
    if globals_used:
        yield Finding(
            "randomness",
            "draws from the global generator of Python or NumPy; Chorus seeds both for every task",
            Verdict.NOTE,
            "better draw from the seed given to reset",
        )
    yield from (Finding("rules", text, Verdict.FAULT, remedy) for text, remedy in monitor.breaches.items())
    yield Finding("speed", f"{speed:,.0f} env-steps/s, {size} episodes side by side")


def _speed(environment: Environment, size: int, seed: int, limit: int, timed: list[tuple[float, int]]) -> float:
    """Environment steps a second. What takes milliseconds is played a few times more, and the fastest counts: anything
    else that this machine does would come to many times that."""
    if sum(seconds for seconds, _ in timed) >= LONG_ENOUGH_SECONDS:
        return sum(steps for _, steps in timed) / sum(seconds for seconds, _ in timed)
    again = [_play(environment, size, seed, limit, EpisodeMonitor(environment.spec)) for _ in range(PLAYED_AGAIN)]
    return max(steps / seconds for seconds, steps, *_ in (*timed, *again))


def _play(
    environment: Environment, size: int, seed: int, limit: int, monitor: EpisodeMonitor
) -> tuple[float, int, bool]:
    """Play one batch; return seconds spent in the environment, steps counted, whether global generators were used."""
    draw = np.random.default_rng(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - to see whether the environment draws from it
    clock = time.perf_counter()
    frame = environment.reset(size, np.random.default_rng(draw.integers(2**32)))
    seconds, counted = time.perf_counter() - clock, 0
    at_first = _drawn()
    monitor.begin(frame)
    for step in range(limit):
        progress.tell(f"playing, step {step}")
        actions = random_actions(environment.spec, frame, draw)
        clock = time.perf_counter()
        outcome = environment.step(actions)
        seconds += time.perf_counter() - clock
        counted += int((~monitor.over).sum())
        monitor.see(outcome)
        frame = outcome.frame
        if monitor.over.all():
            break
    monitor.end()
    return seconds, counted, at_first != (_SEEDED, _SEEDED) or _drawn() != at_first


_SEEDED = 624  # where a Mersenne twister stands that was just seeded and has given nothing yet


def _drawn() -> tuple[int, int]:
    """Where the global generators of Python and NumPy stand."""
    return random.getstate()[1][-1], np.random.get_state(legacy=False)["state"]["pos"]  # noqa: NPY002


def _lengths(monitor: EpisodeMonitor, spec: EnvironmentSpec, limit: int) -> Iterator[Finding]:
    if monitor.lengths:
        low, mean, high = min(monitor.lengths), np.mean(monitor.lengths), max(monitor.lengths)
        text = f"{low} … {high} steps, {mean:.1f} on average"
        yield Finding("episodes", f"{text}; at most {spec.max_steps}" if spec.max_steps else text)
    if monitor.unfinished:
        ended = len(monitor.lengths)
        yield Finding(
            "endless",
            f"{monitor.unfinished} of {ended + monitor.unfinished} episodes were not over after {limit} steps",
            Verdict.NOTE if ended else Verdict.FAULT,
            "give the environment a limit of time (often max_cycles or max_steps in the spec string), or look further "
            "with --steps",
        )


def _rewards(monitor: EpisodeMonitor, spec: EnvironmentSpec) -> Iterator[Finding]:
    if not monitor.lengths:
        return
    low, high = monitor.extremes
    text = f"{np.mean(monitor.individual):.4g} ± {np.std(monitor.individual):.2g} an episode, summed over agents"
    yield Finding("rewards", f"{text}; {low:.3g} … {high:.3g} a step")
    if spec.team_reward:
        yield Finding("team reward", f"{np.mean(monitor.team):.4g} ± {np.std(monitor.team):.2g} an episode")
    elif len(spec.agents) > 1 and monitor.paid and monitor.alike:
        yield Finding(
            "team reward",
            "all agents always got the same reward, which is then the team's",
            Verdict.NOTE,
            "set environment.single_reward to team",
        )
    elif len(spec.agents) > 1:
        yield Finding("team reward", "none apart from the agents' own")
        if monitor.paid and monitor.opposed:
            yield Finding(
                "opponents",
                "what one agent wins others lose, so that returns summed over agents show no learning",
                Verdict.NOTE,
                "measure each side against the other as it began: chorus evaluate DIR --untrained AGENTS",
            )
    if not any(monitor.individual) and not any(monitor.team) and low == high == 0:
        yield Finding(
            "rewards",
            "random actions never earned anything",
            Verdict.NOTE,
            "expect a slow start: play more episodes a task, or shape the reward",
        )


def _crash(error: BaseException) -> Finding:
    """What an exception from inside the environment says."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    notes = "; ".join(getattr(error, "__notes__", ()))
    return Finding(
        "crash",
        f"{type(error).__name__}: {error} ({where.filename}:{where.lineno}){'; ' + notes if notes else ''}",
        Verdict.FAULT,
        "the environment raised this for actions that its own spaces and masks allow; mend it there",
    )
