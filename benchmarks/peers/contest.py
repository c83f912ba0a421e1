"""Who is measured at what: the peers, Chorus's runs beside them, and the pairs whose ratio counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chorus.benchmarks.peers.scripts.work import Work
from chorus.benchmarks.scene import ONE_STEP

SPREAD, MPE, VMAS = "spread?agents=3&steps=25", "pettingzoo:mpe2.simple_spread_v3?N=3", "vmas:simple_spread?n_agents=3"
ACTORS = 2
"""Of Chorus."""
GOAL, SEEDS = -57.0, (0, 1, 2)


@dataclass(frozen=True)
class Runner:
    """A peer, or Chorus in one way.

    Attributes:
        name: as tables have it.
        peer: the script that runs it; none for Chorus.
        environment: what it plays.
        settings: `--set` of Chorus.
        tasks: of an update of Chorus; 4 is the default.
    """

    name: str
    peer: str = ""
    environment: str = SPREAD
    settings: tuple[str, ...] = ()
    tasks: int = 4


@dataclass(frozen=True)
class Entry:
    """A runner and its work: what is measured once a round."""

    runner: Runner
    work: Work


@dataclass(frozen=True)
class Pair:
    """A peer, and Chorus beside it."""

    peer: Entry
    chorus: Entry


JAXMARL = Runner("JaxMARL, IPPO with GRU", "jaxmarl_ippo", "MPE_simple_spread_v3")
SAMPLE_FACTORY = Runner("Sample Factory, APPO with GRU", "sample_factory_appo", "mpe2 simple_spread_v3")
BENCHMARL = Runner("BenchMARL, IPPO with GRU", "benchmarl_ippo", "VMAS simple_spread")
RLLIB = Runner("RLlib, PPO with LSTM", "rllib_ppo", "mpe2 simple_spread_v3")
PEERS = (JAXMARL, SAMPLE_FACTORY, BENCHMARL, RLLIB)


def chorus(environment: str, name: str, *settings: str) -> Runner:
    """Chorus on an environment."""
    return Runner(name, environment=environment, settings=settings)


PLAIN, DEFAULTS, ONE_NETWORK = "plain REINFORCE", "the defaults", "the defaults, one network"


def ways(environment: str, epochs: int) -> tuple[Runner, ...]:
    """How Chorus does as many passes: by the defaults (a value network of its own); if more than one, also with the
    value as one more output of the policy's network; if one, by plain REINFORCE with a task for each actor, in either
    arithmetic."""
    defaults = chorus(environment, DEFAULTS, f"update.passes={epochs}")
    if epochs > 1:
        shared = (*defaults.settings, "value.network=head", "value.sees=own")
        return (defaults, chorus(environment, ONE_NETWORK, *shared))
    plain = replace(chorus(environment, PLAIN, *ONE_STEP), tasks=ACTORS)
    native = replace(plain, name=f"{PLAIN}, native", settings=(*plain.settings, "arithmetic=native"))
    return (defaults, plain, native)


def pairs(names: Sequence[str], seconds: float) -> list[Pair]:
    """All pairs of some peers, for rates."""
    found = []
    for peer in PEERS:
        if peer.peer not in names:
            continue
        sizes = (128, 512) if peer is JAXMARL else (128,)
        worlds = {SAMPLE_FACTORY: (MPE, SPREAD), RLLIB: (MPE, SPREAD)}.get(peer, (SPREAD,))
        for episodes in sizes:
            for epochs in (1, 4):
                work = Work(episodes=episodes, epochs=epochs, seconds=seconds)
                found += [Pair(Entry(peer, work), Entry(way, work)) for world in worlds for way in ways(world, epochs)]
    return found


def races(names: Sequence[str], limit: float) -> list[Pair]:
    """All pairs for the time to `GOAL`, a pair for each seed: published hyper-parameters beside the defaults."""
    return [
        Pair(
            Entry(JAXMARL, Work(episodes=128, epochs=4, goal=GOAL, limit=limit, seed=seed)),
            Entry(chorus(SPREAD, DEFAULTS), Work(episodes=64, epochs=4, goal=GOAL, limit=limit, seed=seed)),
        )
        for seed in SEEDS
        if JAXMARL.peer in names
    ]


def entries(contest: Sequence[Pair]) -> list[Entry]:
    """Everything that a contest measures, each once, beside what it is compared with."""
    found: list[Entry] = []
    for pair in contest:
        found += [entry for entry in (pair.peer, pair.chorus) if entry not in found]
    return found


def order(contest: Sequence[Pair], turn: int) -> list[Entry]:
    """Who runs when in a round: every second one goes backwards, so that what drifts meets both sides alike."""
    forwards = entries(contest)
    return forwards if turn % 2 == 0 else forwards[::-1]
