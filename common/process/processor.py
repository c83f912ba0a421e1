"""The processor that this process runs on: what it can do, and what it is called."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
AVX2 = 1, 1, 5
FMA = 0, 2, 12
"""Where the processor answers: number of the leaf of CPUID in glibc's order, register (a, b, c, d), bit."""


class _Leaf(ctypes.Structure):
    """glibc's `struct cpuid_feature`: what the processor has, and what of it the operating system lets programs use."""

    _fields_ = (("present", ctypes.c_uint32 * 4), ("usable", ctypes.c_uint32 * 4))


def x86_64() -> bool:
    """Whether it speaks the language of Intel's and AMD's 64-bit processors."""
    return platform.machine().lower() in ("x86_64", "amd64")


def lacks() -> list[str]:
    """What portable arithmetic on x86-64 needs and this processor does not have: some of "AVX2" and "FMA".

    The processor itself is asked, through glibc (2.33 or newer); elsewhere `/proc/cpuinfo` is read, and where there is
    none, nothing is said to be missing.
    """
    if not x86_64():
        return []
    try:
        leaf = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        flags = _listed("flags").split()
        return [name for name in ("AVX2", "FMA") if flags and name.lower() not in flags]
    leaf.restype, leaf.argtypes = ctypes.POINTER(_Leaf), (ctypes.c_uint,)
    return [
        name
        for name, (number, register, bit) in (("AVX2", AVX2), ("FMA", FMA))
        if not leaf(number).contents.usable[register] >> bit & 1
    ]


def name() -> str:
    """Its model in words, as `AMD EPYC 7763 64-Core Processor`; its kind alone where nothing says more."""
    return _listed("model name") or platform.processor() or platform.machine()


def _listed(key: str) -> str:
    """What the operating system says of the first core under a key; empty if nothing."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            found, _, value = line.partition(":")
            if found.strip() == key:
                return value.strip()
    return ""
