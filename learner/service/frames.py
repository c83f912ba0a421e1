"""Policy versions as the messages that carry them to actors."""

from __future__ import annotations

from chorus.common.policy.weights import PolicyVersion
from chorus.common.transport.wire import weights_chunks
from chorus.protos.chorus.v1 import rollout_pb2 as pb


class Frames:
    """The messages of the versions last asked for, each encoded once: the same bytes objects for every actor."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._frames: dict[int, list[bytes]] = {}

    def of(self, policy: PolicyVersion) -> list[bytes]:
        """A version's weights, ready to be sent."""
        if policy.version not in self._frames:
            chunks = weights_chunks(policy)
            self._frames[policy.version] = [pb.ToActor(weights=chunk).SerializeToString() for chunk in chunks]
            for old in list(self._frames)[: -self._keep]:
                del self._frames[old]
        self._frames[policy.version] = found = self._frames.pop(policy.version)  # the last asked for comes last
        return found
