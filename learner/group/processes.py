"""A group of processes by `torch.distributed`: gloo for what is on the CPU, NCCL for what is on GPUs.

How the processes find one another is torch's own way: the variables RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT,
which `torchrun` sets. Nothing is pickled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from chorus.common.errors import ConfigError, GroupFault
from chorus.common.settings.config import Config
from chorus.learner.group.group import ALONE, Group

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

KEPT, ATTEMPT = "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"
"""Where `torchrun` says that it keeps the meeting place over restarts, and how often it has started all again."""


class Processes:
    """This process's part of a group, until `close`.

    Attributes:
        rank: of this process.
        size: how many there are.
        seconds: spent in calls to the group, waiting for the others included.
        sent: bytes that this process has put into sums.
    """

    def __init__(self, device: str, timeout: float, rank: int, size: int, where: str) -> None:
        """Find the others.

        Args:
            device: where gradients are.
            timeout: seconds after which a process that does not answer counts as gone.
            rank: of this process.
            size: how many there are.
            where: they meet, as `torch.distributed` has it.

        Raises:
            GroupFault: the others are not there in time.
        """
        self.seconds = 0.0
        self.sent = 0
        backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
        self._timeout = timeout
        self.rank, self.size = rank, size
        self._call(lambda: self._meet(backend, where))

    def _meet(self, backend: str, where: str) -> None:
        """Meet the others, and nobody of the time before a restart, which a meeting place that is kept still holds.

        One that is not kept is new each time. Then restarts must not count: each machine's `torchrun` counts its own.
        """
        patience = timedelta(seconds=self._timeout)
        store, rank, size = next(rendezvous(where, self.rank, self.size, timeout=patience))
        store.set_timeout(patience)
        if os.environ.get(KEPT) == str(True):
            store = PrefixStore(f"attempt-{os.environ[ATTEMPT]}", store)
        distributed.init_process_group(backend, store=store, timeout=patience, rank=rank, world_size=size)

    def close(self) -> None:
        """Leave the group."""
        distributed.destroy_process_group()

    def largest(self, numbers: Tensor) -> Tensor:
        """See `Group`."""
        self.sent += numbers.nbytes
        self._call(lambda: distributed.all_reduce(numbers, distributed.ReduceOp.MAX))
        return numbers

    def total(self, numbers: Tensor) -> Tensor:
        """See `Group`."""
        self.sent += numbers.nbytes
        self._call(lambda: distributed.all_reduce(numbers, distributed.ReduceOp.SUM))
        return numbers

    def gather(self, words: bytes) -> list[bytes]:
        """See `Group`."""
        length = torch.tensor([len(words)])
        lengths = [torch.zeros_like(length) for _ in range(self.size)]
        self._call(lambda: distributed.all_gather(lengths, length))
        longest = max(int(one) for one in lengths)
        if not longest:
            return [b""] * self.size
        said = torch.zeros(longest, dtype=torch.uint8)
        said[: len(words)] = torch.frombuffer(bytearray(words), dtype=torch.uint8) if words else said[:0]
        heard = [torch.zeros_like(said) for _ in range(self.size)]
        self._call(lambda: distributed.all_gather(heard, said))
        return [one[: int(count)].numpy().tobytes() for one, count in zip(heard, lengths, strict=True)]

    def _call(self, function: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            function()
        except RuntimeError as fault:  # the base of all that torch.distributed raises
            raise GroupFault(
                f"process {self.rank} of {self.size} has lost another one, or waited {self._timeout:g} s for it"
                f" (learner.group_timeout): {str(fault).splitlines()[0]}; started again, all go on from the newest"
                " checkpoint"
            ) from fault
        finally:
            self.seconds += time.monotonic() - began


def find_group(config: Config) -> Group:
    """The group that this process was started as a part of: `ALONE` if nobody started several.

    Raises:
        ConfigError: there are not as many processes as `learner.processes` says.
        GroupFault: the others are not there in time.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    wanted = config.learner.processes or started
    if wanted != started:
        raise ConfigError(
            f"learner.processes is {wanted}, but {started} were started (WORLD_SIZE); start as many, or leave"
            " learner.processes out"
        )
    if started == 1:
        return ALONE
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise ConfigError(f"a learner of several processes needs {', '.join(missing)}: start it by torchrun")
    rank = int(os.environ["RANK"])
    return Processes(config.device, config.learner.group_timeout, rank, started, "env://")


def local_rank() -> int:
    """Which of its machine's processes this one is; 0 if it is the only one."""
    return int(os.environ.get("LOCAL_RANK", "0"))
