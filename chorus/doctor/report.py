"""`chorus doctor`: all checks in order, printed, and an exit code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from chorus.common.environments import make
from chorus.common.errors import EnvironmentFault
from chorus.common.process.logs import printable
from chorus.common.transport.credentials import Credentials
from chorus.doctor import learner, machine
from chorus.doctor.finding import Finding, Verdict


def report(options: argparse.Namespace, credentials: Credentials) -> int:
    """Print every finding; 1 if something that was asked for cannot work."""
    findings = []
    for finding in examine(options.env, options.learner, credentials, options.timeout):
        findings.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in findings)
    if options.json:
        plain = [vars(finding) | {"verdict": finding.verdict.value} for finding in findings]
        print(json.dumps({"findings": plain, "problems": problems}, indent=2))
    else:
        print(f"{problems} problem{'s' * (problems != 1)} found." if problems else "No problems found.")
    return 1 if problems else 0


def examine(env: str | None, address: str | None, credentials: Credentials, timeout: float) -> Iterator[Finding]:
    """Every finding as it is made; `env` and `address` are None where they are not asked about."""
    yield from machine.versions()
    yield from machine.cores()
    yield from machine.numerics()
    yield from machine.loops()
    yield from learner.proxies(address)
    if env is not None:
        yield environment(env)
    if address is not None:
        yield from learner.reach(address, credentials, timeout)


def environment(spec: str) -> Finding:
    """Whether the environment of a spec string can be imported and made here."""
    remedy = f"`chorus check-env {spec}` says more"
    try:
        made = make(spec)
    except EnvironmentFault as fault:
        return Finding("environment", str(fault), Verdict.PROBLEM, remedy)
    try:
        agents = made.spec.agents
        return Finding("environment", f"{made.spec.name}: {len(agents)} agents, from {made.spec.package}")
    finally:
        made.close()


def _line(finding: Finding) -> str:
    mark = "" if finding.verdict is Verdict.OK else finding.verdict.value.upper()
    remedy = f"\n{'':22}-> {finding.remedy}" if finding.remedy else ""
    return printable(f"{mark:8}{finding.topic:13} {finding.text}{remedy}")
