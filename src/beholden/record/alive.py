"""Until when a recorder lived: a file touched each second, read by the next start."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Alive:
    """``DIR/run/recorder-0.alive``. Where it cannot be written nothing happens: it only makes gaps exact."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def last_ms(self) -> int | None:
        """When the last run was last seen alive, epoch ms; None when nobody knows."""
        try:
            return self._path.stat().st_mtime_ns // 1_000_000
        except OSError:
            return None

    def beat(self) -> None:
        """Note that this run lives."""
        try:
            os.utime(self._path)
        except FileNotFoundError:
            with contextlib.suppress(OSError):
                self._path.touch(0o600)
        except OSError:
            return
