"""The network is cut beneath learner and actor, in a network namespace of their own, and comes back."""

import subprocess
import time

import pytest

from tests.system.processes import QUICK, Chorus, rows, until, weights

RUN = (*QUICK, "--updates", "400")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [30.0])
def test_after_a_cut_of_the_network_the_run_ends_with_the_same_bytes(chorus: Chorus, seconds: float) -> None:
    """Needs util-linux and iproute2, and a kernel that lets this user make a network namespace."""
    holder = subprocess.Popen(["unshare", "--map-root-user", "--net", "sleep", "infinity"])
    inside = ["nsenter", "--target", str(holder.pid), "--user", "--net", "--preserve-credentials"]

    def network(state: str) -> None:
        until(lambda: subprocess.run([*inside, "ip", "link", "set", "lo", state]).returncode == 0)

    try:
        network("up")
        run = chorus.folder / "run"
        listen = ("--listen", "127.0.0.1:50051")
        learner = chorus.start("learner", "--out", run, *listen, *RUN, within=inside)
        learner.event("learner listens")
        actor = chorus.start("actor", "--learner", "127.0.0.1:50051", "--name", "cut", within=inside)
        until(lambda: len(rows(run)) > 20)
        network("down")
        time.sleep(seconds)
        reached = len(rows(run))
        assert reached < 400
        network("up")
        until(lambda: len(rows(run)) > reached)
        assert learner.popen.wait(300) == 0, learner.err.read_text()
        assert actor.ended() == 0
        assert learner.event("accounts")["balanced"]
        assert any(event["event"] == "stream lost" for event in actor.events())
    finally:
        holder.kill()
        holder.wait()
    peace = chorus.folder / "peace"
    train = chorus.start("train", "--no-pictures", "--out", peace, *RUN, "--actors", "1")
    assert train.popen.wait(300) == 0
    assert weights(run) == weights(peace)
