"""The last lines of `chorus train`: what was reached, what it took, what bounded it, where it is, what to type next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chorus.evaluation.random_play import RandomPlay
from chorus.local.cpu_usage import CpuUsage
from chorus.runs.record import read_metrics
from chorus.runs.smoothing import window

WIDTH = 80
"""Columns of the narrowest terminal that lines are made for."""


def summarise(
    run: Path, updates: int, random_play: RandomPlay | None, usage: CpuUsage | None, evaluated: float | None = None
) -> list[str]:
    """A run in lines of less than 80 letters, so far as the folder's name allows.

    Args:
        run: its folder; it has at least one update.
        updates: that it is to have.
        random_play: what chance reaches, if that was measured.
        usage: what took the time, if that was measured.
        evaluated: the mean return of a last evaluation; None for the newest in the record, if there is one.
    """
    columns = read_metrics(run)
    returns, done = columns["mixed_return"], len(columns["update"])
    near = window(done)
    first, last = returns[:near].mean(), returns[-near:].mean()
    lines = [f"return   {first:.2f} at first, {last:.2f} at last (mean of {near} updates)"]
    others = []
    known = columns["evaluation_return"][~np.isnan(columns["evaluation_return"])]
    if evaluated is not None or len(known):
        others.append(f"evaluation {known[-1] if evaluated is None else evaluated:.2f}")
    if random_play is not None:
        others.append(f"random play {random_play.mixed_return:.2f}")
    if others:
        lines.append(f"         {', '.join(others)}")
    seconds, steps = columns["seconds"][-1], columns["env_steps"][-1]
    rate = columns["agent_steps"][-1] / max(seconds, 1e-9)
    lines.append(
        f"work     {done} of {updates} updates, {steps:,.0f} environment steps in {seconds:,.1f} s:"
        f" {rate:,.0f} agent-steps/s"
    )
    if usage is not None:
        lines.append(f"bound    {usage.describe()}")
    return lines


def where(run: Path) -> list[str]:
    """The files that a finished run is for, and what to type next."""
    names = [name for name in ("final/policy.safetensors", "curve.png", "episode.gif") if (run / name).exists()]
    files = f"files    {run}: {', '.join(names)}"
    lines = [files] if len(files) < WIDTH else [f"files    {run}:", f"         {', '.join(names)}"]
    return [*lines, f"next     chorus evaluate {run}"]


def finished_already(run: Path, updates: int) -> str:
    """What is said when nothing is left to be done."""
    return (
        f"this run is finished: it has all of its {updates} updates, and nothing was trained;\n"
        f"for more of it: chorus resume {run} --updates {2 * updates}"
    )
