"""One running instance a data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from beholden.model.errors import BeholdenError

FILE_NAME = "lock"


class InstanceLock:
    """An flock on ``DIR/run/lock``; the kernel drops it when its holder dies, however it dies."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "run" / FILE_NAME
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it; BeholdenError ``already_running`` when another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise _already_running(self._path.parent.parent, holder) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; the file stays, for removing it would let two processes lock two files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_running(data_dir: Path) -> bool:
    """Whether some process holds the lock of a data directory now."""
    try:
        descriptor = os.open(data_dir / "run" / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _already_running(data_dir: Path, holder: str) -> BeholdenError:
    who = f" (process {holder})" if holder.isdecimal() else ""
    return BeholdenError(
        "already_running",
        f"Beholden is running already on {data_dir}{who}.",
        "Stop it first, or use another data directory.",
    )
