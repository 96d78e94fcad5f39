"""Removing many files from one folder."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from beholden import c_library

SOURCE = Path(__file__).with_name("unlink.c")

Unlink = Callable[[int, bytes, int], int]
"""(descriptor of the folder, names each ended by a zero byte, their size) → 0 or an error's number."""


@functools.cache
def chosen() -> Unlink | None:
    """The compiled code, if this process uses it."""
    return None if c_library.is_off() else load(c_library.path_of(SOURCE), SOURCE)


def load(path: Path, source: Path) -> Unlink | None:
    """The compiled code at ``path``, if it is of this source. Its calls let go of the interpreter."""
    try:
        found = c_library.load(path, source, holds_lock=False)["beholden_unlink"]
    except (c_library.CannotLoadError, AttributeError):
        return None
    found.argtypes = [ctypes.c_int64, ctypes.c_char_p, ctypes.c_int64]
    found.restype = ctypes.c_int64
    return found


def unlink_all(folder: Path, names: Sequence[str], compiled: Unlink | None = None) -> None:
    """Remove files from a folder; no error when they are gone already, or it is. OSError at the first that
    cannot be removed."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if compiled is not None:
            _unlink_compiled(compiled, fd, names)
        else:
            _unlink_each(fd, names)
    finally:
        os.close(fd)


def _unlink_compiled(compiled: Unlink, fd: int, names: Sequence[str]) -> None:
    joined = "\0".join((*names, "")).encode()
    code = compiled(fd, joined, len(joined))
    if code:
        raise OSError(code, os.strerror(code))


def _unlink_each(fd: int, names: Sequence[str]) -> None:
    for name in names:
        try:
            os.unlink(name, dir_fd=fd)  # the folder's path is looked up once
        except FileNotFoundError:
            continue
