"""The hot path compiled: ``walk.c`` as a shared library beside it, when set-up could build one.

Without it, or with one built from another source or for another machine, the Python code does the same work
and costs more. ``BEHOLDEN_PURE_PYTHON=1`` chooses the Python code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from beholden import native

SOURCE = Path(__file__).with_name("walk.c")
PATH = Path(__file__).with_name("walk.so")
OFF = native.PURE
STATE_BYTES = 23 * 8
RECORD_BYTES = 16
_DIGEST_CHARACTERS = 64

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
    if os.environ.get(OFF) == "1":
        return Choice(None, f"{OFF}=1 asks for Python code.")
    return load(PATH, SOURCE)


def load(path: Path, source: Path) -> Choice:
    """The library at ``path``, unless it was not built from ``source`` as it is now."""
    if not path.exists():
        return Choice(None, "There is no compiled library; scripts/setup builds it if there is a C compiler.")
    try:
        # PyDLL and not CDLL: to let go of the interpreter and to get it back costs more than the call.
        library = ctypes.PyDLL(str(path))
        digest = (ctypes.c_char * _DIGEST_CHARACTERS).in_dll(library, "beholden_walk_source")
        if digest.value.decode() != hashlib.sha256(source.read_bytes()).hexdigest():
            return Choice(None, "The compiled library is of another version; scripts/setup builds it anew.")
        state, scratch, records = (
            int(library[f"beholden_walk_{name}"]()) for name in ("state", "scratch", "records")
        )
        if state != STATE_BYTES:
            return Choice(None, "The compiled library does not fit this code; scripts/setup builds it anew.")
        walk = library["beholden_walk"]
    except (OSError, AttributeError, ValueError) as error:
        return Choice(None, f"The compiled library cannot be used: {error}.")
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    walk.argtypes, walk.restype = [ctypes.c_char_p, size, size, pointer, pointer], size
    return Choice(Library(walk, Scratch(scratch, records)), "Compiled code is used.")
