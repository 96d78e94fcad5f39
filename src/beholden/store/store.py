"""The seam between the recorder and a storage directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.segment import SegmentKey


class StoreError(BeholdenError):
    """A storage directory cannot be used. ``code``: ``volume_missing``, ``volume_swapped``,
    ``volume_read_only``, ``volume_unreadable``."""


class FoundFile(NamedTuple):
    """A file as it lies there; ``changed_ms`` is when it was last written, epoch milliseconds."""

    key: SegmentKey
    size: int
    changed_ms: int


class Store(Protocol):
    """Files named by segment keys. Every method may raise OSError as the disk does; nothing else.

    Real: ``beholden.store.volume.Volume``. Fake: ``beholden.store.fake.FakeStore``.
    """

    @property
    def path(self) -> Path:
        """The directory itself."""
        ...

    def path_of(self, key: SegmentKey) -> Path:
        """Where a segment lies or would lie."""
        ...

    def check(self) -> None:
        """StoreError when the directory is no longer the one that was opened, or cannot be written."""
        ...

    def create_exclusive(self, key: SegmentKey) -> int:
        """A descriptor to write a new file with; FileExistsError when the key is taken."""
        ...

    def write(self, fd: int, data: bytes | memoryview) -> None:
        """Append all of ``data``."""
        ...

    def flush(self, fd: int) -> None:
        """Make what was written to a file durable (fdatasync), while writing may go on."""
        ...

    def flush_all(self, fd: int) -> bool:
        """Make all files on the file system of an open one durable, names included; False, and nothing is
        done, where one call is not known to do that. OSError when some file could not be written."""
        ...

    def sync_name(self, key: SegmentKey) -> None:
        """Make the name of a new file durable."""
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

    def delete_many(self, keys: Iterable[SegmentKey]) -> None:
        """As ``delete`` of each, syncing every folder once."""
        ...

    def begin_copy(self, key: SegmentKey) -> int:
        """A descriptor to write and read a copy of another volume's file with; not yet under its name."""
        ...

    def finish_copy(self, key: SegmentKey) -> None:
        """Give a synced copy its name, durably."""
        ...

    def clear_copies(self) -> None:
        """Remove what interrupted copies left."""
        ...

    def open_segments(self, camera: int, stream: StreamRole, after_ms: int) -> list[SegmentKey]:
        """Keys of files that begin at or after an instant, in order."""
        ...

    def sync_path(self, key: SegmentKey) -> None:
        """Make a closed file and its name durable."""
        ...

    def truncate(self, key: SegmentKey, size: int) -> None:
        """Cut a file durably."""
        ...

    def quarantine(self, key: SegmentKey) -> Path:
        """Move a file nobody can play aside; returns where it is now."""
        ...

    def cameras(self) -> list[int]:
        """Which cameras have files, by number."""
        ...

    def files(self, camera: int) -> Iterator[FoundFile]:
        """A camera's files with their sizes, in key order."""
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
