"""What the terminal can show: letters that its encoding lacks are written by others, and nothing fails for them."""

from __future__ import annotations

import codecs
import io
import sys

_PLAIN = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.-:=+*#", strict=True)),
    **dict(zip("→←…×·•–—−", ["->", "<-", "...", "x", ".", "*", "-", "-", "-"], strict=True)),
    **dict(zip("─━│┃┌┐└┘╭╮╰╯├┤", "--||++++++++++", strict=True)),
    **dict(zip("βγλρπ", ["beta", "gamma", "lambda", "rho", "pi"], strict=True)),
}
_NAME = "chorus.plain"


def _replace(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    return "".join(_PLAIN.get(letter, "?") for letter in fault.object[fault.start : fault.end]), fault.end


codecs.register_error(_NAME, _replace)


def speak_plainly() -> None:
    """Let standard output and standard error write what they can of any text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NAME)
