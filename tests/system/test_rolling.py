"""Certificates, their authority and the token are replaced under a fleet at work; no task is lost."""

import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chorus.common.transport.credentials import Credentials
from chorus.fleet.certs import HOSTS, make, period
from tests.system.processes import Chorus, rows, until
from tests.system.relay import relay

OLD, NEW = "an-old-token-of-20-letters", "a-new-token-of-20-letters"
RUN = ("--updates", "100000", "--metrics-port", "0")


def roll(used: Path, made: Path) -> None:
    """Write one set of files over the other, one file after the other, each aside and renamed."""
    for file in made.glob("*.pem"):
        shutil.copy(file, used / "part")
        (used / "part").replace(used / file.name)


def scraped(port: int, folder: Path, token: str) -> bool:
    """Whether `/metrics` is told to who shows these certificates and this token."""
    known = Credentials(folder / "ca.pem", folder / "metrics.pem", folder / "metrics-key.pem")
    handler = urllib.request.HTTPSHandler(context=known.for_web(server=False))
    request = urllib.request.Request(f"https://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.build_opener(handler).open(request, timeout=10) as reply:
            return b"chorus_certificate_expiry_timestamp_seconds{" in reply.read()
    except (urllib.error.URLError, OSError):
        return False


def test_certificates_authority_and_token_roll_under_a_running_fleet(chorus: Chorus) -> None:
    used, old, new = (chorus.folder / name for name in ("used", "old", "new"))
    for folder in (used, old, new):
        folder.mkdir()
    for folder in (old, new):
        make(folder, list(HOSTS), period(1))
    roll(used, old)
    token = used / "token"
    token.write_text(OLD)

    def shown(folder: Path, who: str) -> tuple[str, ...]:
        return (
            *("--tls-cert", str(folder / f"{who}.pem"), "--tls-key", str(folder / f"{who}-key.pem")),
            *("--tls-ca", str(folder / "ca.pem"), "--token-file", str(token)),
        )

    learner, address = chorus.learner("run", *RUN, *shown(used, "learner"))
    with relay(address) as way:
        steady = chorus.actor(way.address, "steady", *shown(used, "actor"))
        steady.event("ready")
        web = learner.event("learner listens")["metrics_port"]
        assert scraped(web, old, OLD) and not scraped(web, new, OLD)

        token.write_text(f"{NEW}\n{OLD}\n")
        roll(used, new)
        chorus.actor(address, "newcomer", *shown(new, "actor")).event("ready")
        assert learner.event("certificates were read anew")
        token.write_text(NEW)
        assert scraped(web, new, NEW) and not scraped(web, old, NEW) and not scraped(web, new, OLD)
        assert chorus.actor(address, "late", *shown(old, "actor")).event("stream lost")
        reached = len(rows(chorus.folder / "run"))
        until(lambda: len(rows(chorus.folder / "run")) > reached + 3)
        assert not [event for event in steady.events() if event["event"] == "stream lost"], "open streams stay open"
        assert not [event for event in learner.events() if event["event"] == "actor left"], "so no task is lost"

        way.cut()
        until(lambda: sum(event["event"] == "ready" for event in steady.events()) == 2)
        learner.send(signal.SIGTERM)
        learner.succeeded()
        accounts = learner.event("accounts")
        assert accounts["balanced"] and accounts["failed"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["actor", "learner"])
def test_an_expired_certificate_is_named_with_its_date_and_a_new_one_is_taken_without_a_restart(
    chorus: Chorus, whose: str
) -> None:
    used, good = chorus.folder / "used", chorus.folder / "good"
    used.mkdir()
    good.mkdir()
    now = period(1)
    past = now[0] - 3 * (now[1] - now[0]), now[0] - (now[1] - now[0])
    authority = make(good, list(HOSTS), now)
    roll(used, good)
    (used / f"{whose}-key.pem").unlink()
    authority.issue(used, whose, list(HOSTS) if whose == "learner" else [], past)
    names = {
        who: ("--tls-cert", used / f"{who}.pem", "--tls-key", used / f"{who}-key.pem") for who in ("learner", "actor")
    }
    ca = ("--tls-ca", used / "ca.pem")
    learner, address = chorus.learner("run", *RUN, *map(str, (*names["learner"], *ca)))
    actor = chorus.actor(address, "waits", *map(str, (*names["actor"], *ca)))
    said = f"{whose}.pem expired on {past[1]:%Y-%m-%d %H:%M} UTC"
    if whose == "actor":
        assert said in actor.event("stream lost")["details"]
    else:
        assert said in learner.event("a certificate has expired")["certificate"]
    roll(used, good)
    actor.event("ready")
