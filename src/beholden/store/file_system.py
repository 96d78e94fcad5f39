"""One call that makes everything on a file system durable, where that can be relied upon.

syncfs(2) gives of every file what fsync gives of one, with one commit of the journal instead of one a file.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final, Protocol, cast

# Magic numbers, statfs(2). FUSE is not among them: its server never hears of syncfs.
_RELIABLE: Final = frozenset({0xEF53, 0x58465342})  # ext4, xfs
_TELLS_ERRORS = (5, 8)  # the first Linux whose syncfs says that something could not be written
_STATFS_BYTES = 256  # more than any has


class System(Protocol):
    """What is needed of the C library. Both return 0, or -1 and set ``errno``; what is found begins with the
    file system's kind."""

    def fstatfs(self, fd: int, found: ctypes.Array[ctypes.c_char], /) -> int: ...
    def syncfs(self, fd: int, /) -> int: ...


def tells_errors(release: str) -> bool:
    """Whether this release of Linux (``6.1.0-18-amd64``) says that something could not be written."""
    numbers = release.split("-", 1)[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdecimal()) >= _TELLS_ERRORS


def _of_this_machine() -> System | None:
    if os.uname().sysname != "Linux" or not tells_errors(os.uname().release):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    has_both = hasattr(library, "syncfs") and hasattr(library, "fstatfs")
    return cast("System", library) if has_both else None


_SYSTEM = _of_this_machine()


def sync_file_system(fd: int, system: System | None = _SYSTEM) -> bool:
    """Make everything durable on the file system of an open file, the names of new files included; False, and
    nothing is done, where that is not known to be reliable. OSError when anything on it could not be written
    since the file was opened, or since this was last asked of it: it does not say what."""
    if system is None or _kind(system, fd) not in _RELIABLE:
        return False
    if system.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


def _kind(system: System, fd: int) -> int:
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    return ctypes.c_long.from_buffer(found).value if system.fstatfs(fd, found) == 0 else 0
