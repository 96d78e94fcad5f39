"""The data directory made ready, or a clear word why it cannot be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from beholden.model.errors import BeholdenError

# The catalog's log may grow to 64 MB between checkpoints; with less than this, nothing works for long.
LEAST_FREE_BYTES = 32 * 1024**2


def prepare(data_dir: Path) -> None:
    """Make the directory (mode 0700) and its ``run`` folder, and see that it can be written.

    BeholdenError ``data_not_a_directory``, ``data_not_writable`` or ``data_full``.
    """
    _make(data_dir)
    _make(data_dir / "run")
    _check_room(data_dir)
    _check_writable(data_dir)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BeholdenError(
            "data_not_a_directory", f"{directory} is not a directory.", "Give a directory with --data."
        ) from error
    except OSError as error:
        raise _told_plainly(directory, error) from error


def _check_room(data_dir: Path) -> None:
    found = os.statvfs(data_dir)
    free = found.f_bavail * found.f_frsize
    if free < LEAST_FREE_BYTES and not found.f_flag & os.ST_RDONLY:
        raise _full(data_dir, free)


def _check_writable(data_dir: Path) -> None:
    probe = data_dir / "run" / "writable"
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        raise _told_plainly(data_dir, error) from error


def _told_plainly(path: Path, error: OSError) -> BeholdenError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path, 0)
    if error.errno == errno.EROFS:
        return BeholdenError(
            "data_not_writable",
            f"{path} lies on a file system that is mounted read-only.",
            "Mount it writable, or choose another directory with --data.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return BeholdenError(
            "data_not_writable",
            f"{path} cannot be written by this user.",
            "Give the directory to the user Beholden runs as, or choose another with --data.",
        )
    return BeholdenError(
        "data_not_writable", f"{path} cannot be used: {error.strerror}.", "Choose another with --data."
    )


def _full(path: Path, free: int) -> BeholdenError:
    return BeholdenError(
        "data_full",
        f"The disk that holds {path} is full: {free // 1024**2} MB are free.",
        f"Free at least {LEAST_FREE_BYTES // 1024**2} MB there, or choose another directory with --data.",
    )
