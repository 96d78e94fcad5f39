"""A local directory as a volume, recognised by its identity file."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import uuid as uuids
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey
from beholden.model.time import from_ms
from beholden.store import sidecars
from beholden.store.store import StoreError

IDENTITY_NAME = ".beholden-volume"
QUARANTINE_NAME = "quarantine"


class Volume:
    """One storage directory (a ``Store``). Safe to use from several threads."""

    def __init__(self, path: Path, uuid: str) -> None:
        self.path = path
        self.uuid = uuid

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the directory a volume with a new uuid. A directory that is one already keeps its uuid.

        StoreError when it cannot be made or written.
        """
        with _told_plainly(path):
            path.mkdir(parents=True, exist_ok=True)
            found = _read_identity(path)
            if found is None:
                found = str(uuids.uuid4())
                _write_identity(path, found)
        return cls(path, found)

    @classmethod
    def open(cls, path: Path, expected_uuid: str) -> Self:
        """The volume at ``path``, if it is the one expected.

        StoreError ``volume_missing`` (no directory, or no identity file: an unmounted or empty disk),
        ``volume_swapped`` (another uuid), ``volume_read_only``, ``volume_unreadable``.
        """
        volume = cls(path, expected_uuid)
        volume.check()
        return volume

    def check(self) -> None:
        """StoreError when the directory is no longer the one that was opened, or cannot be written."""
        with _told_plainly(self.path):
            found = _read_identity(self.path) if self.path.is_dir() else None
            if found is None:
                raise _missing(self.path)
            if found != self.uuid:
                raise StoreError(
                    "volume_swapped",
                    f"The storage directory {self.path} belongs to another disk than the one used before.",
                    "Mount the right disk there; nothing was deleted.",
                )
            _try_writing(self.path)

    def path_of(self, key: SegmentKey) -> Path:
        """Where a segment lies or would lie."""
        return self.path / key.path()

    def create_exclusive(self, key: SegmentKey) -> int:
        """A descriptor to write a new file with; FileExistsError when the key is taken."""
        path = self.path_of(key)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o640)
        except FileNotFoundError:
            self._make_folders(path.parent)
            return os.open(path, flags, 0o640)

    def write(self, fd: int, data: bytes) -> None:
        """Append all of ``data``."""
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self, fd: int, key: SegmentKey) -> None:
        """Make a file and its name durable (fsync of the file, then of its folder)."""
        os.fsync(fd)
        _sync_folder(self.path_of(key).parent)

    def open_read(self, key: SegmentKey) -> int:
        """A descriptor to read with; FileNotFoundError."""
        return os.open(self.path_of(key), os.O_RDONLY | os.O_CLOEXEC)

    def delete(self, key: SegmentKey) -> None:
        """Remove a file durably with its blocks in side-cars, and its folders when they are empty; no error
        when it is gone already."""
        path = self.path_of(key)
        path.unlink(missing_ok=True)
        sidecars.forget(self.path, key)
        if path.parent.is_dir():
            _sync_folder(path.parent)
        for folder in list(path.parents)[:4]:  # hour, day, stream, camera
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return  # it still holds something

    def sync_path(self, key: SegmentKey) -> None:
        """Make a closed file and its name durable."""
        fd = self.open_read(key)
        try:
            self.sync(fd, key)
        finally:
            os.close(fd)

    def truncate(self, key: SegmentKey, size: int) -> None:
        """Cut a file durably."""
        fd = os.open(self.path_of(key), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def quarantine(self, key: SegmentKey) -> Path:
        """Move a file nobody can play to ``quarantine/`` in this volume; returns where it is now."""
        folder = self.path / QUARANTINE_NAME
        folder.mkdir(exist_ok=True)
        target = folder / key.path().replace("/", "_")
        self.path_of(key).rename(target)
        sidecars.forget(self.path, key)
        _sync_folder(folder)
        return target

    def open_segments(self, camera: int, stream: StreamRole, after_ms: int) -> list[SegmentKey]:
        """Keys of files that begin at or after an instant, in order; only the hours since are listed."""
        keys = []
        after = from_ms(after_ms)
        first_day, first_hour = f"{after:%Y-%m-%d}", f"{after:%H}"
        base = self.path / f"cam-{camera}" / stream.name.lower()
        for day in _names(base):
            if day < first_day:
                continue
            for hour in _names(base / day):
                if day > first_day or hour >= first_hour:
                    keys += self._keys(base / day / hour)
        return sorted(key for key in keys if key.start_ms >= after_ms)

    def walk(self) -> Iterator[SegmentKey]:
        """Keys of all files, camera by camera in order of time; files that are not ours are stepped over."""
        for camera in _names(self.path):
            if not camera.startswith("cam-"):
                continue
            for stream in _names(self.path / camera):
                for day in _names(self.path / camera / stream):
                    for hour in _names(self.path / camera / stream / day):
                        yield from sorted(self._keys(self.path / camera / stream / day / hour))

    def free_bytes(self) -> int:
        """Free space for this user on the file system."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def total_bytes(self) -> int:
        """Size of the file system."""
        found = os.statvfs(self.path)
        return found.f_blocks * found.f_frsize

    def _keys(self, folder: Path) -> list[SegmentKey]:
        keys = []
        for name in _names(folder):
            relative = (folder / name).relative_to(self.path).as_posix()
            with contextlib.suppress(ValueError, KeyError, OverflowError):
                keys.append(SegmentKey.from_path(relative))
        return keys

    def _make_folders(self, folder: Path) -> None:
        """Make the folders of a file, but never the volume's own: a disk that is gone must not be made up."""
        if not (self.path / IDENTITY_NAME).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            path.mkdir(mode=0o750, exist_ok=True)
            _sync_folder(path.parent)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are compared as texts
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_identity(path: Path) -> str | None:
    try:
        text = (path / IDENTITY_NAME).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except ValueError:
        text = ""
    try:
        return str(uuids.UUID(text))
    except ValueError as error:
        raise StoreError(
            "volume_unreadable",
            f"The identity file {path / IDENTITY_NAME} is damaged.",
            "Restore it from a copy, or add the directory as a new volume.",
        ) from error


def _write_identity(path: Path, uuid: str) -> None:
    with (path / IDENTITY_NAME).open("x", encoding="ascii") as file:
        file.write(uuid + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path)


def _try_writing(path: Path) -> None:
    # An unnamed file: nothing to clean up, and no name to collide with.
    with tempfile.TemporaryFile(dir=path):
        pass


@contextlib.contextmanager
def _told_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreError(
                "volume_read_only",
                f"The storage directory {path} cannot be written: {reason}.",
                "Make it writable for this user; recording goes on by itself then.",
            ) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return  # full is no matter of identity: writing decides, and retention frees
        raise StoreError(
            "volume_unreadable",
            f"The storage directory {path} cannot be used: {reason}.",
            "Check the disk and its mount.",
        ) from error


def _missing(path: Path) -> StoreError:
    return StoreError(
        "volume_missing",
        f"The storage directory {path} has no identity file; its disk is probably not mounted.",
        "Mount it; nothing is written to the bare directory, and nothing counts as deleted.",
    )
