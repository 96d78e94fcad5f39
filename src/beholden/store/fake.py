"""A store that fails on purpose, over a real directory."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from beholden.model.segment import SegmentKey
from beholden.store.store import StoreError
from beholden.store.volume import Volume


class FakeStore(Volume):
    """A ``Store`` in a temporary directory whose faults a test switches on and off.

    ``full``: writing and creating fail with ENOSPC. ``broken``: they fail with EIO. ``lost``: the directory
    is as if unmounted. ``hold()`` makes writers wait until ``release()``, as a disk that has become slow.
    ``free`` overrides the free space. ``log`` notes the order of operations.
    """

    def __init__(self, path: Path) -> None:
        made = Volume.create(path)
        super().__init__(made.path, made.uuid)
        self.full = False
        self.broken = False
        self.lost = False
        self.free: int | Callable[[], int] | None = None
        self.log: list[str] = []
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """From now on writing waits."""
        self._open.clear()

    def release(self) -> None:
        """Writing goes on."""
        self._open.set()

    def check(self) -> None:
        """As Volume; also refuses while ``lost``."""
        if self.lost:
            raise StoreError(
                "volume_missing", f"The storage directory {self.path} is not there.", "Mount it."
            )
        super().check()

    def create_exclusive(self, key: SegmentKey) -> int:
        """As Volume, with faults."""
        self._fail()
        self.log.append("create")
        return super().create_exclusive(key)

    def write(self, fd: int, data: bytes) -> None:
        """As Volume, with faults."""
        self._open.wait()
        self._fail()
        self.log.append("write")
        super().write(fd, data)

    def sync(self, fd: int, key: SegmentKey) -> None:
        """As Volume, with faults."""
        if self.broken:
            self._fail()
        self.log.append("sync")
        super().sync(fd, key)

    def delete(self, key: SegmentKey) -> None:
        """As Volume."""
        self.log.append("delete")
        super().delete(key)

    def free_bytes(self) -> int:
        """As Volume, unless ``free`` is set."""
        if self.free is None:
            return super().free_bytes()
        return self.free() if callable(self.free) else self.free

    def _fail(self) -> None:
        for fault, code in ((self.lost, errno.ENOENT), (self.full, errno.ENOSPC), (self.broken, errno.EIO)):
            if fault:
                raise OSError(code, os.strerror(code))
