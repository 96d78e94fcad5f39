"""Where the sockets of a data directory are."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from beholden.bus.messages import BusError

# sun_path holds 108 bytes on Linux and 104 elsewhere, with the closing zero.
_LONGEST_SOCKET_PATH = 100
_LONGEST_NAME = "recorder-999.sock"


def run_dir(data_dir: Path) -> Path:
    """The directory of sockets and pids, made (mode 0700) when absent.

    ``DIR/run``, or a private directory under the system's temporary one when that is too long for a
    socket. BusError ``bus_unreachable`` when it cannot be made or is somebody else's.
    """
    wanted = data_dir.absolute() / "run"
    if len(os.fsencode(wanted / _LONGEST_NAME)) > _LONGEST_SOCKET_PATH:
        digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
        wanted = Path(tempfile.gettempdir()) / f"beholden-{os.getuid()}-{digest}"
    try:
        wanted.mkdir(mode=0o700, exist_ok=True)
        found = wanted.lstat()
    except OSError as error:
        raise BusError(
            "bus_unreachable",
            f"The directory for sockets, {wanted}, cannot be made: {error.strerror}.",
            "Make the data directory writable for this user.",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BusError(
            "bus_unreachable",
            f"The directory for sockets, {wanted}, belongs to somebody else.",
            "Remove it, or use a data directory with a shorter path.",
        )
    wanted.chmod(0o700)
    return wanted


def socket_path(data_dir: Path, name: str) -> Path:
    """The path of one socket, e.g. ``recorder-0`` or ``analyser`` (``.sock`` is added)."""
    return run_dir(data_dir) / f"{name}.sock"
