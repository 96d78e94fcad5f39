"""The hot path compiled: ``walk.c`` as a shared library beside it, when set-up could build one.

Without it, or with one built from another source or for another machine, the Python code does the same work
and costs more.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from beholden import c_library

SOURCE = Path(__file__).with_name("walk.c")
PATH = c_library.path_of(SOURCE)
STATE_BYTES = 23 * 8
RECORD_BYTES = 16

Walk = Callable[[bytes, int, int, int, int], int]
"""(data, position, size, address of the state, address of the scratch) → position."""


class Scratch(threading.local):
    """Where one call puts its pictures, a thread's own: ``records`` and ``out`` are to be read before the
    next call."""

    def __init__(self, total: int, records: int) -> None:
        self._bytes = bytearray(total)
        self._exported = (ctypes.c_char * total).from_buffer(self._bytes)
        self.address = ctypes.addressof(self._exported)
        view = memoryview(self._bytes)
        self.records, self.out = view[:records], view[records:]


@dataclass(frozen=True, slots=True)
class Library:
    """The compiled code. It holds the interpreter's lock: a call takes microseconds."""

    walk: Walk
    scratch: Scratch


@dataclass(frozen=True, slots=True)
class Choice:
    """What is used, and ``why`` in a sentence."""

    library: Library | None
    why: str


@functools.cache
def chosen() -> Choice:
    """What this process uses."""
    if c_library.is_off():
        return Choice(None, f"{c_library.OFF}=1 asks for Python code.")
    return load(PATH, SOURCE)


def load(path: Path, source: Path) -> Choice:
    """The library at ``path``, unless it was not built from ``source`` as it is now."""
    try:
        library = c_library.load(path, source, holds_lock=True)
        state, scratch, records = (
            int(library[f"beholden_walk_{name}"]()) for name in ("state", "scratch", "records")
        )
        if state != STATE_BYTES:
            return Choice(None, "The compiled library does not fit this code; scripts/setup builds it anew.")
        walk = library["beholden_walk"]
    except c_library.CannotLoadError as error:
        return Choice(None, str(error))
    except AttributeError as error:
        return Choice(None, f"The compiled library cannot be used: {error}.")
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    walk.argtypes, walk.restype = [ctypes.c_char_p, size, size, pointer, pointer], size
    return Choice(Library(walk, Scratch(scratch, records)), "Compiled code is used.")
