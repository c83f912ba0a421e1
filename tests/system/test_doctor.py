"""`chorus doctor --learner`, asked about learners that are well, that want a token, that speak TLS."""

from __future__ import annotations

import json
from pathlib import Path

from chorus.fleet.certs import HOSTS, make, period
from tests.system.processes import Chorus

TOKEN = "correct-horse-battery-staple"


def found(chorus: Chorus, *arguments: str | Path, code: int, **environment: str) -> dict[str, str]:
    """The last finding: where the examination of the learner ended."""
    doctor = chorus.start("doctor", "--json", *arguments, **environment)
    assert doctor.ended() == code, doctor.out.read_text()
    answer = json.loads(doctor.out.read_text())
    assert answer["problems"] == code
    finding: dict[str, str] = answer["findings"][-1]
    return finding


def test_a_learner_that_wants_a_token_is_found_well_with_it_and_refuses_without(chorus: Chorus) -> None:
    _, address = chorus.learner_with({"CHORUS_TOKEN": TOKEN}, "run", "--updates", "100000")
    well = found(chorus, "--learner", address, code=0, CHORUS_TOKEN=TOKEN)
    assert well["topic"] == "learner" and "0 actors" in well["text"]
    refused = found(chorus, "--learner", address, code=1)
    assert "unauthenticated" in refused["text"] and "--token-file" in refused["remedy"]
    clear = found(chorus, "--learner", address, "--tls-ca", certificates(chorus.folder) / "ca.pem", code=1)
    assert clear["topic"] == "TLS" and "clear text" in clear["text"]


def test_a_learner_with_tls_says_what_is_missing_and_what_is_wrong(chorus: Chorus) -> None:
    good, other = certificates(chorus.folder), certificates(chorus.folder / "other")
    tls = ("--tls-ca", good / "ca.pem", "--tls-cert", good / "learner.pem", "--tls-key", good / "learner-key.pem")
    _, address = chorus.learner("run", "--updates", "100000", *tls)
    missing = found(chorus, "--learner", address, code=1)
    assert missing["topic"] == "TLS" and "--tls-ca" in missing["remedy"]
    wrong = found(chorus, "--learner", address, "--tls-ca", other / "ca.pem", code=1)
    assert wrong["topic"] == "TLS" and "not accepted" in wrong["text"]
    own = ("--tls-cert", good / "actor.pem", "--tls-key", good / "actor-key.pem")
    assert found(chorus, "--learner", address, "--tls-ca", good / "ca.pem", *own, code=0)["topic"] == "learner"
    unknown = found(chorus, "--learner", address, "--tls-ca", good / "ca.pem", "--timeout", "2", code=1)
    assert unknown["topic"] == "learner" and "--tls-cert" in unknown["remedy"]


def certificates(folder: Path) -> Path:
    """Certificates of an authority of their own, in a folder."""
    place = folder / "certificates"
    if not place.exists():
        place.mkdir(parents=True)
        make(place, list(HOSTS), period(1))
    return place
