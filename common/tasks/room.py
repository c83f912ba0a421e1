"""Memory for large arrays, that goes back to the kernel as soon as nobody needs it.

In the heap, which keeps what is freed (`common/process/allocator.py`), it would leave holes that nothing else fits
into. In a file of a folder, where one is named, the kernel can write its pages out and take them back whenever memory
is short.
"""

from __future__ import annotations

import errno
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.common.errors import ConfigError

LARGE = 32 << 20
"""Bytes that an array may have in the heap."""
LARGE_BESIDE_A_FOLDER = 1 << 20
"""The same where larger ones go to files: J tasks have about ten arrays each, and these must not add up."""


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of zeros. The pages of a large one take memory only once something is written to them."""
    size = prod(shape) * dtype.itemsize
    if size <= LARGE:
        return np.zeros(shape, dtype)
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(held, dtype).reshape(shape)


class Filling:
    """An array of zeros that is written to from its first row on.

    Attributes:
        array: of which the rows up to those that were reserved may be written to.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        """In memory, where every row may be."""
        self.array = array

    def reserve(self, rows: int) -> None:
        """See that the first so many rows can be written to.

        Raises:
            OSError: the disk has no room for them.
        """


class FillingFile(Filling):
    """Such an array in a file without a name, which is gone when nobody holds the array any more."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], folder: Path) -> None:
        """Nothing is reserved yet; the file takes no room on the disk.

        Raises:
            OSError: it cannot be made.
        """
        size = prod(shape) * dtype.itemsize
        with _naming(folder):
            file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - `finalize` closes it
        weakref.finalize(self, file.close)  # the array needs it no more: the mapping has a descriptor of its own
        with _naming(folder):
            file.truncate(size)
            mapped = mmap.mmap(file.fileno(), size)
        super().__init__(np.frombuffer(mapped, dtype).reshape(shape))
        self._folder = folder
        self._descriptor = file.fileno()
        self._reserved = 0

    def reserve(self, rows: int) -> None:
        """As above. Without it, a full disk would end the process by a signal at the write to the page."""
        wanted = rows * (self.array.nbytes // len(self.array))
        if wanted > self._reserved:
            with _naming(self._folder):
                os.posix_fallocate(self._descriptor, self._reserved, wanted - self._reserved)
            self._reserved = wanted


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Have faults of the system name the folder and its setting: those of files without a name do not."""
    try:
        yield
    except OSError as fault:
        fault.filename = f"{folder} (learner.spill)"
        raise


class Room:
    """Where the arrays of trajectories are made: in memory, or the large ones in files of a folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """In memory without a folder."""
        self._folder = folder
        self.large = LARGE if folder is None else LARGE_BESIDE_A_FOLDER

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Filling:
        """An array of zeros, no row of which is reserved yet.

        Raises:
            OSError: the folder takes no file; names it.
        """
        if self._folder is None or prod(shape) * dtype.itemsize <= self.large:
            return Filling(zeros(shape, dtype))
        return FillingFile(shape, dtype, self._folder)

    def see_writable(self) -> None:
        """Make an array in the folder, if there is one, as trajectories' will be.

        Raises:
            ConfigError: no such file can be made there; names the folder.
            OSError: its disk is full.
        """
        if self._folder is None:
            return
        try:
            FillingFile((mmap.PAGESIZE,), np.dtype(np.uint8), self._folder).reserve(mmap.PAGESIZE)
        except OSError as fault:
            if fault.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise ConfigError(
                f"learner.spill is {str(self._folder)!r}, where no file can be written"
                f" ({fault.strerror or fault}); name a folder of a disk where one can, or leave it out"
            ) from fault
