"""A store that fails on purpose, over a real directory."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from beholden.model.segment import SegmentKey
from beholden.store.store import StoreError
from beholden.store.volume import Volume


class FakeStore(Volume):
    """A ``Store`` in a temporary directory whose faults a test switches on and off.

    ``full``: writing and creating fail with ENOSPC. ``broken``: they, syncing and deleting fail with EIO.
    ``read_only``: the same with EROFS, as after a remount. ``lost``: the directory is as if unmounted.
    ``hold()`` makes writers wait until ``release()``; ``slow_bytes`` lets them write so many bytes a second.
    ``whole``: all of it can be flushed with one call.
    ``free`` overrides the free space. ``log`` notes the order of operations, and ``before`` is called with
    the name of each: it may raise, as a crash at that step would end everything.
    """

    def __init__(self, path: Path) -> None:
        made = Volume.create(path)
        super().__init__(made.path, made.uuid)
        self.full = False
        self.broken = False
        self.lost = False
        self.read_only = False
        self.whole = False
        self.slow_bytes: int | None = None
        self.before: Callable[[str], None] | None = None
        self.free: int | Callable[[], int] | None = None
        self.log: list[str] = []
        self.durable: dict[int, int] = {}
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """From now on writing waits."""
        self._open.clear()

    def release(self) -> None:
        """Writing goes on."""
        self._open.set()

    def check(self) -> None:
        """As Volume; also refuses while ``lost`` or ``read_only``."""
        if self.lost:
            raise StoreError(
                "volume_missing", f"The storage directory {self.path} is not there.", "Mount it."
            )
        if self.read_only:
            raise StoreError(
                "volume_read_only",
                f"The storage directory {self.path} cannot be written: {os.strerror(errno.EROFS)}.",
                "Make it writable for this user; recording goes on by itself then.",
            )
        super().check()

    def create_exclusive(self, key: SegmentKey) -> int:
        """As Volume, with faults."""
        self._step("create")
        return super().create_exclusive(key)

    def write(self, fd: int, data: bytes | memoryview) -> None:
        """As Volume, with faults; ``slow_bytes`` a second at most when that is set."""
        self._open.wait()
        self._step("write")
        if self.slow_bytes is not None:
            time.sleep(len(data) / self.slow_bytes)
        super().write(fd, data)

    def flush(self, fd: int) -> None:
        """As Volume, with faults; ``durable`` notes how many bytes of the file a power cut leaves."""
        self._step("flush", writes=False)
        super().flush(fd)
        self.durable[os.fstat(fd).st_ino] = os.fstat(fd).st_size

    def flush_all(self, fd: int) -> bool:  # noqa: ARG002
        """As ``flush`` of every file, if ``whole`` is set; the directory counts as a file system."""
        if not self.whole:
            return False
        self._step("flush all", writes=False)
        for key in list(self.walk()):
            status = self.path_of(key).stat()
            self.durable[status.st_ino] = status.st_size
        return True

    def cut_power(self) -> None:
        """Leave of each file what was durable, and of one that never was, nothing."""
        for key in list(self.walk()):
            path = self.path_of(key)
            os.truncate(path, self.durable.get(path.stat().st_ino, 0))

    def sync(self, fd: int, key: SegmentKey) -> None:
        """As Volume, with faults."""
        self._step("sync", writes=False)
        super().sync(fd, key)
        self.durable[os.fstat(fd).st_ino] = os.fstat(fd).st_size

    def delete_many(self, keys: Iterable[SegmentKey]) -> None:
        """As Volume, with faults, one file after another."""
        for key in keys:
            self._step("delete", writes=False)
            super().delete_many([key])

    def begin_copy(self, key: SegmentKey) -> int:
        """As Volume, with faults."""
        self._step("begin copy")
        return super().begin_copy(key)

    def finish_copy(self, key: SegmentKey) -> None:
        """As Volume, with faults."""
        self._step("finish copy", writes=False)
        super().finish_copy(key)

    def free_bytes(self) -> int:
        """As Volume, unless ``free`` is set."""
        if self.free is None:
            return super().free_bytes()
        return self.free() if callable(self.free) else self.free

    def _step(self, what: str, *, writes: bool = True) -> None:
        if self.before is not None:
            self.before(what)
        faults = (
            (self.lost and writes, errno.ENOENT),
            (self.full and writes, errno.ENOSPC),
            (self.read_only, errno.EROFS),
            (self.broken, errno.EIO),
        )
        for fault, code in faults:
            if fault:
                raise OSError(code, os.strerror(code))
        self.log.append(what)
