"""What `chorus doctor` finds on a machine and on the way to a learner."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from chorus.common.process import arithmetic
from chorus.common.transport.credentials import Credentials
from chorus.doctor import learner, machine
from chorus.doctor.finding import Verdict
from chorus.doctor.report import environment
from chorus.learner.gradient import lstm_compiled


def test_a_container_with_less_time_than_cores_is_told_how_many_actors_to_start(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("150000 100000\n")
    *_, found = machine.cores(affinity=8, quota=quota)
    assert found.verdict is Verdict.NOTE and "limited to 1.5 cores, but sees 8" in found.text
    assert "--actors 1" in found.remedy
    for enough in ("max 100000\n", "800000 100000\n"):
        quota.write_text(enough)
        assert [found.verdict for found in machine.cores(affinity=8, quota=quota)] == [Verdict.OK]
    assert len(list(machine.cores(affinity=8, quota=tmp_path / "absent"))) == 1


def test_a_variable_that_changes_the_bits_is_named_with_its_remedy() -> None:
    found = list(machine.numerics({"OPENBLAS_CORETYPE": "Zen", "OMP_NUM_THREADS": "8"}))
    remedies = [finding.remedy for finding in found if finding.verdict is Verdict.NOTE]
    assert len(remedies) == 2
    assert any("unset OPENBLAS_CORETYPE" in remedy for remedy in remedies)
    assert any("unset OMP_NUM_THREADS" in remedy for remedy in remedies)
    pinned = arithmetic.ALWAYS | arithmetic.PORTABLE_KERNELS
    assert all(finding.verdict is Verdict.OK for finding in machine.numerics(pinned))


def test_it_says_whether_the_loops_of_the_lstm_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for why, verdict, text in (("", Verdict.OK, "are compiled"), ("no compiler", Verdict.NOTE, "(no compiler)")):
        monkeypatch.setattr(lstm_compiled, "compiled_loops", lambda why=why: (None, why))
        (found,) = machine.loops()
        assert (found.topic, found.verdict) == ("LSTM", verdict) and text in found.text
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    assert not list(machine.loops()), "no learner runs where there is no torch"


@pytest.mark.parametrize(
    ("variables", "verdict", "text"),
    [
        ({}, Verdict.OK, "none"),
        (
            {"http_proxy": "http://proxy:3128"},
            Verdict.NOTE,
            "http_proxy; not followed, actors call learner.fleet:50051",
        ),
        (
            {"ALL_PROXY": "socks://proxy:1080", "HTTPS_PROXY": "http://proxy:3128"},
            Verdict.NOTE,
            "ALL_PROXY, HTTPS_PROXY",
        ),
        ({"http_proxy": "http://proxy:3128", "CHORUS_PROXY": "http://other:1"}, Verdict.OK, "that CHORUS_PROXY names"),
    ],
)
def test_a_proxy_on_the_way_to_the_learner_is_named(variables: dict[str, str], verdict: Verdict, text: str) -> None:
    (found,) = learner.proxies("learner.fleet:50051", variables)
    assert found.verdict is verdict and text in found.text


def test_a_learner_on_this_machine_is_reached_without_the_proxy() -> None:
    (found,) = learner.proxies("127.0.0.1:50051", {"https_proxy": "http://proxy:3128"})
    assert found.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("address", "topic", "text"),
    [
        ("learner", "learner", "is no HOST:PORT"),
        ("learner:", "learner", "is no HOST:PORT"),
        ("no-such-host.invalid:50051", "name", "not known"),
    ],
)
def test_an_address_that_is_none_is_said_so(address: str, topic: str, text: str) -> None:
    *_, last = learner.reach(address, Credentials(), 1.0)
    assert last.verdict is Verdict.PROBLEM and last.topic == topic and text in last.text and last.remedy


def test_a_port_where_nobody_listens_is_where_the_examination_ends() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        *before, last = learner.reach(f"127.0.0.1:{reserved.getsockname()[1]}", Credentials(), 1.0)
    assert [finding.topic for finding in before] == ["name"]
    assert last.topic == "port" and last.verdict is Verdict.PROBLEM and "--listen" in last.remedy


@pytest.mark.parametrize(
    ("spec", "verdict", "text"),
    [
        ("spread?agents=4", Verdict.OK, "4 agents"),
        ("sprad", Verdict.PROBLEM, "spread"),
        ("tests.chorus.broken:Team", Verdict.PROBLEM, "ZeroDivisionError: integer division"),
    ],
)
def test_an_environment_is_made_or_it_is_said_why_not(spec: str, verdict: Verdict, text: str) -> None:
    found = environment(spec)
    assert found.verdict is verdict and text in found.text
