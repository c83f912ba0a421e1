"""What stands behind an option, read: each says in words what it wanted, so that argparse need not invent any."""

from __future__ import annotations

import argparse
from math import isfinite
from pathlib import Path

from chorus.common.errors import ConnectionFault
from chorus.common.transport.address import check_address, check_port


def whole(text: str) -> int:
    """Any whole number."""
    try:
        return int(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from fault


def count(text: str) -> int:
    """A whole number from 0."""
    if (number := whole(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def positive(text: str) -> int:
    """A whole number from 1."""
    if (number := whole(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def seconds(text: str) -> float:
    """A time to wait."""
    try:
        number = float(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from fault
    if not (isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text} seconds cannot be waited; give more than 0")
    return number


def port(text: str) -> int:
    """A port to listen at; 0 for any that is free."""
    try:
        return check_port(text)
    except ConnectionFault as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def address(text: str) -> str:
    """HOST:PORT of who is to be called."""
    try:
        return check_address(text)
    except ConnectionFault as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def addresses(text: str) -> str:
    """HOST:PORT of who is to be called, or several with commas between."""
    return ",".join(address(part.strip()) for part in text.split(","))


def listening_address(text: str) -> str:
    """HOST:PORT to listen at."""
    try:
        return check_address(text, listening=True)
    except ConnectionFault as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def mp4(text: str) -> Path:
    """A file that a video is written to."""
    path = Path(text)
    if path.suffix != ".mp4":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .mp4, and an MP4 is what is written; name it so")
    return path


def gif(text: str) -> Path:
    """A file that a film is written to."""
    path = Path(text)
    if path.suffix.lower() != ".gif":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .gif, and a GIF is what is written; name it so")
    return path
