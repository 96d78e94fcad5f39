"""The seam between the recorder and a storage directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey


class StoreError(BeholdenError):
    """A storage directory cannot be used. ``code``: ``volume_missing``, ``volume_swapped``,
    ``volume_read_only``, ``volume_unreadable``."""


class Store(Protocol):
    """Files named by segment keys. Every method may raise OSError as the disk does; nothing else.

    Real: ``beholden.store.volume.Volume``. Fake: ``beholden.store.fake.FakeStore``.
    """

    def path_of(self, key: SegmentKey) -> Path:
        """Where a segment lies or would lie."""
        ...

    def check(self) -> None:
        """StoreError when the directory is no longer the one that was opened, or cannot be written."""
        ...

    def create_exclusive(self, key: SegmentKey) -> int:
        """A descriptor to write a new file with; FileExistsError when the key is taken."""
        ...

    def write(self, fd: int, data: bytes) -> None:
        """Append all of ``data``."""
        ...

    def sync(self, fd: int, key: SegmentKey) -> None:
        """Make a file and its name durable (fsync of the file, then of its folder)."""
        ...

    def open_read(self, key: SegmentKey) -> int:
        """A descriptor to read with; FileNotFoundError."""
        ...

    def delete(self, key: SegmentKey) -> None:
        """Remove a file durably with its blocks in side-cars, and its folders when they are empty; no error
        when it is gone already."""
        ...

    def open_segments(self, camera: int, stream: StreamRole, after_ms: int) -> list[SegmentKey]:
        """Keys of files that begin at or after an instant, in order."""
        ...

    def walk(self) -> Iterator[SegmentKey]:
        """Keys of all files, camera by camera in order of time."""
        ...

    def free_bytes(self) -> int:
        """Free space for this user on the file system."""
        ...

    def total_bytes(self) -> int:
        """Size of the file system."""
        ...
