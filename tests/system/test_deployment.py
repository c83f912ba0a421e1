"""What deployments lean on: probes, versions that must agree, logs one can search, faults one can see, backups."""

import json
import os
import shutil
import signal
import socket
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from chorus.common.process.fingerprint import chorus_version
from chorus.common.transport.channel import HEALTH, open_channel
from chorus.common.transport.credentials import NOTHING
from chorus.protos.chorus.v1 import rollout_pb2 as pb
from tests.system.processes import ROOT, Chorus, rows, until, weights

LONG = ("--updates", "100000")


def ask(port: int, service: str) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary(
            HEALTH, health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
        )
        reply = check(health_pb2.HealthCheckRequest(service=service), timeout=10, wait_for_ready=True)
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def test_a_learner_without_actors_is_well_and_an_actor_without_learner_is_live_but_not_ready(chorus: Chorus) -> None:
    port = free_port()
    actor = chorus.actor(f"127.0.0.1:{port}", "early", "--health-port", "0")
    health = actor.event("health")["health_port"]
    actor.event("stream lost")
    assert (ask(health, ""), ask(health, "live"), ask(health, "ready")) == (True, True, False)
    with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
        ask(health, "wealth")
    learner, _ = chorus.learner("run", *LONG, "--health-port", "0", port=port)
    of_learner = learner.event("learner listens")["health_port"]
    assert (ask(of_learner, ""), ask(of_learner, "live"), ask(of_learner, "ready")) == (True, True, True)
    actor.event("ready")
    assert ask(health, "ready")
    learner.send(signal.SIGTERM)
    learner.succeeded()
    until(lambda: not ask(health, "ready"))
    assert ask(health, "live")


def test_the_health_port_is_asked_in_clear_text_whatever_the_certificates(chorus: Chorus) -> None:
    chorus.run("certs", chorus.folder / "certs")
    files = {"CHORUS_TLS_CA": "ca.pem", "CHORUS_TLS_CERT": "learner.pem", "CHORUS_TLS_KEY": "learner-key.pem"}
    tls = {name: str(chorus.folder / "certs" / file) for name, file in files.items()}
    learner, address = chorus.learner_with(tls, "run", *LONG, "--health-port", "0")
    port = learner.event("learner listens")["health_port"]
    assert chorus.run("health", f"grpc://127.0.0.1:{port}", **tls) == "ok\n"
    assert chorus.run("health", address, **tls) == "ok\n"


def test_an_actor_of_another_version_is_refused_with_both_versions(chorus: Chorus) -> None:
    ours = chorus_version()
    learner, address = chorus.learner("run", *LONG)
    with open_channel(address, NOTHING) as line, pytest.raises(grpc.RpcError) as refusal:
        list(line.play(iter([pb.FromActor(hello=pb.Hello(actor="old", version="0.0.9"))])))
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert f"the actor is Chorus '0.0.9', the learner Chorus {ours!r}" in str(refusal.value.details())
    assert learner.event("actor refused")["reason"] == "version"
    folder = chorus.folder / "newer" / "chorus_marl-9.9.9.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: chorus-marl\nVersion: 9.9.9\n")
    path = os.pathsep.join((str(folder.parent), str(ROOT)))
    actor = chorus.actor(address, "new", PYTHONPATH=path, PYTHONSAFEPATH="1")
    actor.refused()
    complaint = actor.event("ended by a fault")["fault"]
    assert "'9.9.9'" in complaint
    assert repr(ours) in complaint


def test_every_line_of_the_log_names_run_and_actor(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *LONG)
    actor = chorus.actor(address, "only", "--metrics-port", "0")
    until(lambda: len(rows(chorus.folder / "run")) > 3)
    actor.send(signal.SIGTERM)
    actor.succeeded()
    learner.event("actor left")
    learner.send(signal.SIGTERM)
    learner.succeeded()
    run = learner.event("learner listens")["run"]
    for process in (learner, actor):
        assert [json.loads(line) for line in process.err.read_text().splitlines()] == process.events()
    assert {event.get("run") for event in learner.events()} == {run}
    assert {event.get("actor") for event in actor.events()} == {"only"}
    names = [event["event"] for event in actor.events()]
    assert {event.get("run") for event in actor.events()[names.index("ready") :]} == {run}
    assert "stopping, its leases go back" in names


def test_a_gradient_that_is_not_finite_is_seen_before_the_learner_ends(chorus: Chorus) -> None:
    learner, address = chorus.learner("run", *LONG, "--metrics-port", "0", "--set", "reward.team=1e300")
    chorus.actor(address, "only")
    learner.event("training cannot go on")
    url = f"http://127.0.0.1:{learner.event('learner listens')['metrics_port']}/metrics"
    with urllib.request.urlopen(url, timeout=10) as reply:
        assert "\nchorus_gradient_norm NaN\n" in reply.read().decode()
    learner.send(signal.SIGTERM)
    learner.refused()
    assert "is not finite; the step was not taken" in learner.event("ended by a fault")["fault"]


def test_a_copy_of_a_run_at_work_is_a_backup(chorus: Chorus) -> None:
    settings = ("--updates", "24", "--set", "checkpoint.every=3")
    learner, address = chorus.learner("run", *settings)
    chorus.actor(address, "only")
    until(lambda: len(rows(chorus.folder / "run")) > 6)
    shutil.copytree(chorus.folder / "run", chorus.folder / "backup")
    learner.succeeded()
    reached = len(rows(chorus.folder / "backup"))
    assert reached < 24
    assert weights(chorus.train("backup", *settings, "--actors", "1")) == weights(chorus.folder / "run")


def test_certificates_are_renewed_when_they_run_out_and_not_before(chorus: Chorus) -> None:
    folder: Path = chorus.folder / "certs"
    command = ("certs", folder, "--renew", "--group", "--metrics-host", "actor")
    chorus.run(*command, "--days", "5")
    first = (folder / "ca.pem").read_bytes()
    chorus.run(*command)
    second = (folder / "ca.pem").read_bytes()
    assert second != first
    assert "hold for another week" in chorus.run(*command)
    assert (folder / "ca.pem").read_bytes() == second
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.glob("*-key.pem")}
    assert modes.pop("ca-key.pem") == 0o600
    assert set(modes.values()) == {0o640}
