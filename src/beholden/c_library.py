"""C code beside its source: shared libraries that set-up builds where there is a C compiler.

Whatever they do is there in Python too: to be without costs time and nothing else. ``BEHOLDEN_PURE_PYTHON=1``
does without all of them.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from pathlib import Path

from beholden import native

OFF = native.PURE
_DIGEST_CHARACTERS = 64


class CannotLoadError(Exception):
    """Why a library is not used, in a sentence."""


def path_of(source: Path) -> Path:
    """Where the library of a C file lies."""
    return source.with_suffix(".so")


def is_off() -> bool:
    """Whether a person asks to do without."""
    return os.environ.get(OFF) == "1"


def load(path: Path, source: Path, *, holds_lock: bool) -> ctypes.CDLL:
    """The library at ``path``; CannotLoadError unless it was built from ``source`` as it is now.

    ``holds_lock``: its calls keep the interpreter's lock, which for a few microseconds costs less than to let
    go of it.
    """
    if not path.exists():
        raise CannotLoadError(
            "There is no compiled library; scripts/setup builds it if there is a C compiler."
        )
    try:
        library = ctypes.PyDLL(str(path)) if holds_lock else ctypes.CDLL(str(path))
        digest = (ctypes.c_char * _DIGEST_CHARACTERS).in_dll(library, "beholden_source").value.decode()
    except (OSError, ValueError) as error:
        raise CannotLoadError(f"The compiled library cannot be used: {error}.") from None
    if digest != hashlib.sha256(source.read_bytes()).hexdigest():
        raise CannotLoadError("The compiled library is of another version; scripts/setup builds it anew.")
    return library
