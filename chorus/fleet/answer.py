"""The error message for a learner that did not answer."""

from __future__ import annotations

import grpc

from chorus.common.errors import ConnectionFault

Code = grpc.StatusCode


def no_answer(address: str, timeout: float, fault: grpc.RpcError) -> ConnectionFault:
    """The fault of a call to HOST:PORT that came back without an answer."""
    code, details = fault.code(), fault.details() or "no word"
    if code in (Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE):
        why = "" if "deadline" in details.lower() else f" ({details})"
        return ConnectionFault(
            f"no answer from {address} within {timeout:g} s{why}; does a learner run there, is this the HOST:PORT of"
            " its --listen, and do both sides use TLS or neither?"
        )
    if code in (Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNKNOWN):
        return ConnectionFault(f"no answer from {address}: what listens there is no Chorus learner ({details})")
    return ConnectionFault(f"no answer from {address}: {code.name.lower()}: {details}")
