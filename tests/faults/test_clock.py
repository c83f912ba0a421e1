"""The wall clock of learner and actors jumps by days, forth and back, while they are at work."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from chorus.fleet.certs import HOSTS, make, period
from tests.faults.conftest import RUN, UPDATES, Sound
from tests.system.processes import Chorus, Process, rows, until
from tests.system.relay import relay

pytestmark = pytest.mark.timeout(900)

JUMPS = ("+3d", "-3d", "+1h", "-1h", "+0")
JUMP_SECONDS = 1.0


class Clock:
    """What processes started with `variables` take for the time, by libfaketime; monotonic clocks stay as they are.

    Attributes:
        variables: of the environment.
        jumps: how often the time was set.
    """

    def __init__(self, file: Path) -> None:
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            if os.environ.get("CI"):
                pytest.fail("libfaketime is not installed")
            pytest.skip("libfaketime is not installed (Debian: apt-get install libfaketime)")
        self._file = file
        self.jumps = 0
        self.set("+0")
        self.variables = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds after which the file is looked at anew
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        """Jump to so much from the true time."""
        self.jumps += 1
        aside = self._file.with_suffix(".part")
        aside.write_text(f"{offset}\n")
        aside.replace(self._file)

    @contextmanager
    def jumping(self) -> Iterator[None]:
        """Jump once a second."""
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

    command = ("learner", "--out", str(chorus.folder / "run"), "--listen", "127.0.0.1:0", *RUN, *shown("learner"))
    learner = chorus.start(*command, **clock.variables)
    address = f"127.0.0.1:{learner.event('learner listens')['port']}"
    clock.set("+3d")
    expired = learner.event("a certificate has expired")
    assert "learner.pem expired on" in expired["certificate"]
    with relay(address) as way:
        way.proxy.delay = 0.2  # so that the run outlasts a few jumps
        actors = [chorus.actor(way.address, name, *shown("actor"), **clock.variables) for name in ("a", "b")]
        for actor in actors:
            assert "actor.pem expired on" in actor.event("stream lost")["details"]
        clock.set("+0")
        for actor in actors:
            actor.event("ready")
        lost, jumps = streams_lost(actors), clock.jumps
        with clock.jumping():
            until(lambda: clock.jumps > jumps + 8)
            assert len(rows(chorus.folder / "run")) < UPDATES
            way.proxy.delay = 0.0
            for actor in actors:
                actor.succeeded()
            sound(learner)
        ended = streams_lost(actors) - lost
        assert 4 * ended < clock.jumps - jumps, "a busy machine may have silenced one; jumps would have ended them all"


def streams_lost(actors: list[Process]) -> int:
    return sum(event["event"] == "stream lost" for actor in actors for event in actor.events())
