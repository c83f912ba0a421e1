"""Who is let in, who is not, and whether the log says why without giving anything away."""

import datetime
import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chorus.common.transport.channel import HEALTH, SERVICE, STATUS
from chorus.fleet.certs import HOSTS, make, period
from tests.system.processes import QUICK, Chorus, Process, rows, until

TOKEN = "correct-horse-battery-staple"
WRONG = "incorrect-horse-battery-staple"
DAYS = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates that hold, in `good`; of another authority, in `other`; that held until yesterday, in `expired`; of
    an actor that serves metrics, in `serving`."""
    folder = tmp_path_factory.mktemp("certs")
    for name in ("good", "other", "expired", "serving"):
        (folder / name).mkdir()
    make(folder / "other", list(HOSTS), period(1))
    today = period(1)
    before = today[0] - DAYS * 3, today[0] - DAYS
    good = make(folder / "good", [*HOSTS, own_address()], today)
    good.issue(folder / "expired", "actor", [], before)
    good.issue(folder / "serving", "actor", ["actor.example"], today)
    return folder


def tls(folder: Path, who: str, ca: Path | None = None) -> tuple[str, ...]:
    return (
        *("--tls-cert", str(folder / f"{who}.pem")),
        *("--tls-key", str(folder / f"{who}-key.pem")),
        *("--tls-ca", str((ca or folder) / "ca.pem")),
    )


def test_mutual_tls_and_a_token_let_the_right_ones_in(chorus: Chorus, authority: Path) -> None:
    good = authority / "good"
    (chorus.folder / "token").write_text(f"{TOKEN}\n")
    with_token = ("--token-file", str(chorus.folder / "token"))
    learner, address = chorus.learner("run", "--metrics-port", "0", *tls(good, "learner"), *with_token)
    actor = chorus.actor(address, "known", "--metrics-port", "0", *tls(good, "actor"), *with_token)
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    told = json.loads(chorus.run("status", address, "--json", *tls(good, "actor"), *with_token))
    assert [one["actor"] for one in told["actors"]] == ["known"]
    assert chorus.run("health", address, *tls(good, "actor"), *with_token) == "ok\n"
    port = actor.event("metrics")["metrics_port"]
    probe = chorus.start("health", f"https://127.0.0.1:{port}", *tls(good, "actor"))
    assert "certificate" in probe.refused().lower(), "an actor's certificate names no host, so none may trust it as one"
    learner_port = learner.event("learner listens")["metrics_port"]
    assert chorus.run("health", f"https://127.0.0.1:{learner_port}", *tls(good, "actor")) == "ok\n"


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("nobody", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        ("other", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
    ],
)
def test_without_the_right_certificate_nobody_gets_in(chorus: Chorus, authority: Path, who: str, why: str) -> None:
    learner, address = chorus.learner("run", *tls(authority / "good", "learner"))
    good = authority / "good"
    shown = ("--tls-ca", str(good / "ca.pem")) if who == "nobody" else tls(authority / who, "actor", good)
    actor = chorus.actor(address, "stranger", *shown)
    assert actor.event("stream lost")["tls"]
    until(lambda: why in learner.err.read_text())
    assert "actor joined" not in learner.err.read_text()


def test_an_actors_certificate_cannot_serve_as_a_learners(chorus: Chorus, authority: Path) -> None:
    """Neither without hosts, where it is no server's, nor with a name under which actors serve metrics."""
    good = authority / "good"
    for number, stolen in enumerate((good, authority / "serving")):
        _, address = chorus.learner(f"run-{number}", *tls(stolen, "actor", good))
        actor = chorus.actor(address, "careful", *tls(good, "actor"))
        details = actor.event("stream lost")["details"]
        assert ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")[number] in details


@pytest.mark.parametrize("who", ["learner", "metrics"])
def test_another_roles_certificate_cannot_play_as_an_actors(chorus: Chorus, authority: Path, who: str) -> None:
    """A learner's own actors may show its certificate on its own machine; elsewhere it is no actor's."""
    good, elsewhere = authority / "good", f"{own_address()}:0"
    settings = ("--listen", elsewhere, "--updates", "100000", *tls(good, "learner"))
    learner = chorus.start("learner", "--out", chorus.folder / "run", *QUICK, *settings)
    address = f"{own_address()}:{learner.event('learner listens')['port']}"
    said = chorus.actor(address, "thief", *tls(good, who)).refused()
    assert f"this is the certificate of a {who}" in said
    assert learner.event("actor refused", reason="role")
    chorus.actor(address, "known", *tls(good, "actor")).event("ready")


def own_address() -> str:
    """An address of this machine that is not loopback."""
    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    return found[0]


def test_an_actor_refuses_a_learner_of_another_authority(chorus: Chorus, authority: Path) -> None:
    _, address = chorus.learner("run", *tls(authority / "other", "learner"))
    actor = chorus.actor(address, "careful", *tls(authority / "good", "actor"))
    assert "CERTIFICATE_VERIFY_FAILED" in actor.event("stream lost")["details"]


@pytest.mark.parametrize(("shown", "why"), [(WRONG, "the token is wrong"), ("", "a token is needed")])
def test_without_the_right_token_nobody_gets_in(chorus: Chorus, shown: str, why: str) -> None:
    learner, address = chorus.learner_with({"CHORUS_TOKEN": TOKEN}, "run", "--metrics-port", "0")
    environment = {"CHORUS_TOKEN": shown} if shown else {}
    assert why in chorus.actor(address, "stranger", **environment).refused()
    assert why in chorus.start("status", address, **environment).refused()
    assert learner.event("call refused", reason="unauthenticated")["why"].startswith(why)
    assert chorus.run("health", address, **environment) == "ok\n"
    url = f"http://127.0.0.1:{learner.event('learner listens')['metrics_port']}/metrics"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {shown}"} if shown else {})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
    right = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(right, timeout=10) as reply:
        assert b'chorus_refusals_total{reason="unauthenticated"}' in reply.read()
    no_secrets(learner, TOKEN, WRONG)


def no_secrets(process: Process, *secrets: str) -> None:
    said = process.err.read_text() + process.out.read_text()
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize(
    "command",
    [
        ("learner", "--out", "run", "--listen", "0.0.0.0:0"),
        ("learner", "--out", "run", "--listen", "127.0.0.1:0", "--metrics-port", "0", "--metrics-host", "0.0.0.0"),
        ("actor", "--learner", "203.0.113.7:50051"),
        ("status", "learner.example:50051"),
    ],
)
def test_nothing_goes_beyond_this_machine_in_clear_text_unasked(chorus: Chorus, command: tuple[str, ...]) -> None:
    arguments = [str(chorus.folder / part) if part == "run" else part for part in command]
    assert "beyond this machine" in chorus.start(*arguments).refused()


def test_insecure_must_be_said_aloud(chorus: Chorus) -> None:
    learner = chorus.start("learner", "--out", chorus.folder / "run", "--listen", "0.0.0.0:0", "--insecure")
    learner.event("learner listens")


def test_a_word_too_short_is_no_token(chorus: Chorus) -> None:
    said = chorus.start("status", "127.0.0.1:1", CHORUS_TOKEN="hunter2").refused()
    assert "at least 16" in said
    assert "hunter2" not in said


def test_certificates_are_never_overwritten_and_their_keys_are_private(chorus: Chorus) -> None:
    folder = chorus.folder / "certs"
    chorus.run("certs", folder, "--host", "learner.example")
    assert "holds ca.pem already" in chorus.start("certs", folder).refused()
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*-key.pem")} == {0o600}


def test_actors_serve_metrics_under_no_name_of_the_learners(chorus: Chorus) -> None:
    command = ("certs", chorus.folder / "certs", "--host", "learner.example", "--metrics-host")
    assert "pose as the learner" in chorus.start(*command, "learner.example").refused()
    assert "pose as the learner" in chorus.start(*command, "localhost").refused()


def test_reflection_and_status_need_the_token(chorus: Chorus) -> None:
    """What the learner offers is told to those only who are let in; its health to anybody."""
    _, address = chorus.learner_with({"CHORUS_TOKEN": TOKEN}, "run")
    with grpc.insecure_channel(address) as line:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(line)
        status: Any = line.unary_unary(STATUS)
        health: Any = line.unary_unary(HEALTH)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        for shown in (None, [("authorization", f"Bearer {WRONG}")]):
            with pytest.raises(grpc.RpcError) as refused:
                next(stub.ServerReflectionInfo(iter([question]), metadata=shown, timeout=10))
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.RpcError) as refused:
                status(b"", metadata=shown, timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        known = [("authorization", f"Bearer {TOKEN}")]
        told = next(stub.ServerReflectionInfo(iter([question]), metadata=known, timeout=10))
        assert SERVICE in [service.name for service in told.list_services_response.service]
        assert status(b"", metadata=known, timeout=10)
        assert health(b"", timeout=10)


def test_training_on_one_machine_may_be_encrypted_too(chorus: Chorus, authority: Path) -> None:
    secured = tls(authority / "good", "learner")
    settings = ("--updates", "3", "--actors", "1", "--audit", "0.5")
    run = chorus.folder / "run"
    chorus.run("train", "--no-pictures", "--out", run, *QUICK, *settings, *secured, CHORUS_TOKEN=TOKEN)
    assert len(rows(run)) == 3
    without = chorus.start("train", "--out", chorus.folder / "other", *QUICK, *settings, *secured[:4])
    assert "could not verify the learner" in without.refused()


def test_an_adapter_imports_no_module_that_this_actor_was_not_told_to_trust(chorus: Chorus) -> None:
    module, trace = chorus.folder / "evilmod.py", chorus.folder / "imported-by"
    module.write_text(
        "import os, sys\n"
        f"open({str(trace)!r}, 'a').write(' '.join(sys.argv[1:2]) + '\\n')\n"
        "from mpe2.simple_spread_v3 import parallel_env\n"
    )
    path = {"PYTHONPATH": str(chorus.folder)}
    _, address = chorus.learner_with(path, "run", "--env", "pettingzoo:evilmod")
    said = chorus.actor(address, "careful", **path).refused()
    assert "pettingzoo:evilmod" in said and "--allow-env" in said
    assert "actor" not in trace.read_text(), "the learner itself imports it, the actor does not"
    chorus.actor(address, "trusting", "--allow-env", "pettingzoo:evil*", **path).event("ready")
