"""Processes of a group find one another by what `torchrun` tells them."""

import os
import socket
import subprocess
import sys

import pytest

MEET = """
from chorus.common.settings import config
from chorus.learner.group.processes import find_group
group = find_group(config.check({"learner": {"group_timeout": 60}}))
print(group.gather(str(group.rank).encode()))
group.close()
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("restarts", [("0", "0"), ("3", "0")])
def test_machines_whose_torchrun_has_restarted_unlike_often_meet_in_a_place_that_is_new(
    restarts: tuple[str, str],
) -> None:
    """As with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, once one of two machines was started anew."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    common["TORCHELASTIC_USE_AGENT_STORE"] = "False"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MEET],
            env=os.environ | common | {"RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": count},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank, count in enumerate(restarts)
    ]
    told = [process.communicate()[0].strip() for process in processes]
    assert told == [str([b"0", b"1"])] * 2
