"""The wall clock of learner and actors jumps by days, forth and back, while they are at work."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from chorus.fleet.certs import HOSTS, make, period
from tests.faults.conftest import RUN, Sound
from tests.system.processes import Chorus

JUMPS = ("+3d", "-3d", "+1h", "-1h", "+0")
JUMP_SECONDS = 0.5


class Clock:
    """What processes started with `variables` take for the time, by libfaketime; monotonic clocks stay as they are."""

    def __init__(self, file: Path) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            if os.environ.get("CI"):
                pytest.fail("libfaketime is not installed")
            pytest.skip("libfaketime is not installed (Debian: apt-get install libfaketime)")
        self._file = file
        self.set("+0")
        self.variables = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Jump to so much from the true time."""
        aside = self._file.with_suffix(".part")
        aside.write_text(f"{offset}\n")
        aside.replace(self._file)

    @contextmanager
    def jumping(self) -> Iterator[None]:
        """Jump twice a second."""
        ended = threading.Event()

        def jump() -> None:
            for offset in cycle(JUMPS):
                self.set(offset)
                if ended.wait(JUMP_SECONDS):
                    return

        jumper = threading.Thread(target=jump, name="clock")
        jumper.start()
        try:
            yield
        finally:
            ended.set()
            jumper.join()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_clock_that_jumps_ends_no_lease_and_no_stream_and_an_expired_certificate_is_named(
    chorus: Chorus, sound: Sound
) -> None:
    clock = Clock(chorus.folder / "clock")
    certificates = chorus.folder / "certificates"
    certificates.mkdir()
    make(certificates, list(HOSTS), period(1))

    def shown(who: str) -> tuple[str, ...]:
        files = (("--tls-cert", f"{who}.pem"), ("--tls-key", f"{who}-key.pem"), ("--tls-ca", "ca.pem"))
        return tuple(word for option, name in files for word in (option, str(certificates / name)))

    command = ("learner", "--out", chorus.folder / "run", "--listen", "127.0.0.1:0", *RUN, *shown("learner"))
    learner = chorus.start(*command, **clock.variables)
    address = f"127.0.0.1:{learner.event('learner listens')['port']}"
    clock.set("+3d")
    expired = learner.event("a certificate has expired")
    assert "learner.pem expired on" in expired["certificate"]
    actors = [chorus.actor(address, name, *shown("actor"), **clock.variables) for name in ("a", "b")]
    for actor in actors:
        assert "actor.pem expired on" in actor.event("stream lost")["details"]
    clock.set("+0")
    for actor in actors:
        actor.event("ready")
    lost = [len([event for event in actor.events() if event["event"] == "stream lost"]) for actor in actors]
    with clock.jumping():
        for actor in actors:
            actor.succeeded()
        sound(learner)
    for actor, before in zip(actors, lost, strict=True):
        assert len([event for event in actor.events() if event["event"] == "stream lost"]) == before
    assert not [event for event in learner.events() if event["event"] == "actor refused"]
