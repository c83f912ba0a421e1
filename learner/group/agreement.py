"""What must be equal in every process of a group, seen to be."""

from __future__ import annotations

from chorus.common.errors import TrainingFault
from chorus.learner.group.group import Group


def see_equal(group: Group, what: str, digest: bytes) -> None:
    """See that all processes have the same digest of something.

    Raises:
        TrainingFault: they have not; names the processes that have another one than process 0.
        GroupFault: a process is gone or does not answer.
    """
    digests = group.gather(digest)
    unlike = [rank for rank, other in enumerate(digests) if other != digests[0]]
    if unlike:
        told = "; ".join(f"process {rank} has {digests[rank].hex()[:16]}" for rank in (0, *unlike))
        raise TrainingFault(
            f"the learner's processes have come to differ in {what}: {told}; they must run the same Chorus on like"
            " machines, so one of these computes wrongly"
        )
