"""HOST:PORT as people write it: seen to be whole before anything tries to reach it, and where listening failed."""

from __future__ import annotations

from chorus.common.errors import ConnectionFault

GREATEST_PORT = 65535
EXAMPLE = "127.0.0.1:50051"
SCHEMES = ("unix:", "dns:", "ipv4:", "ipv6:")
"""What gRPC reads in its own way; it is left to gRPC."""


def check_address(text: str, *, listening: bool = False) -> str:
    """The address as it was written, once it has been seen to be one.

    Args:
        text: HOST:PORT, `[::1]:PORT`, or one of gRPC's own forms (`unix:PATH`).
        listening: whether it is to be listened at; then port 0 means any that is free, and no host means every one.

    Raises:
        ConnectionFault: it is none; says what is wrong with it.
    """
    if text.startswith(SCHEMES):
        return text
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        raise ConnectionFault(f"{text!r} has no port; write HOST:PORT, for example {EXAMPLE}")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ConnectionFault(f"{text!r} is no HOST:PORT; an IPv6 address stands in brackets, as in [::1]:50051")
    if not host and not listening:
        raise ConnectionFault(f"{text!r} has no host; write HOST:PORT, for example {EXAMPLE}")
    check_port(port, least=0 if listening else 1, of=f" of {text!r}")
    return text


def check_port(text: str, *, least: int = 0, of: str = "") -> int:
    """The port that a text names; `of` says what it belongs to.

    Raises:
        ConnectionFault: it is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ConnectionFault(f"the port{of} is {text!r}; a port is a whole number from {least} to {GREATEST_PORT}")
    if not least <= int(text) <= GREATEST_PORT:
        raise ConnectionFault(f"the port{of} is {int(text)}; there are ports {least} to {GREATEST_PORT}")
    return int(text)


def cannot_listen(what: str, address: str, option: str, fault: Exception) -> ConnectionFault:
    """The fault of an address that cannot be had; `option` is what to choose another one by."""
    why = getattr(fault, "strerror", None) or str(fault)
    return ConnectionFault(f"cannot serve {what} at {address}: {why}; choose another {option}, or end what is there")
