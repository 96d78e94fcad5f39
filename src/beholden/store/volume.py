"""A local directory as a volume, recognised by its identity file."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import uuid as uuids
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from beholden.model.camera import StreamRole
from beholden.model.segment import SegmentKey, names_by_folder
from beholden.model.time import from_ms
from beholden.store import sidecars, unlinking
from beholden.store.file_system import sync_file_system
from beholden.store.store import FoundFile, StoreError
from beholden.store.unlinking import unlink_all

IDENTITY_NAME = ".beholden-volume"
QUARANTINE_NAME = "quarantine"
_COPIES_NAME = ".copies"
_TRIES = 5


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
        for _ in range(_TRIES):
            try:
                return os.open(path, flags, 0o640)
            except FileNotFoundError:
                # Made here; whoever deletes old footage may remove it again before we use it.
                self._make_folders(path.parent)
        return os.open(path, flags, 0o640)

    def write(self, fd: int, data: bytes | memoryview) -> None:
        """Append all of ``data``."""
        written = os.write(fd, data)
        while written < len(data):
            written += os.write(fd, memoryview(data)[written:])

    def flush(self, fd: int) -> None:
        """Make what was written to a file durable (fdatasync), while writing may go on."""
        os.fdatasync(fd)

    def flush_all(self, fd: int) -> bool:
        """Make all files on the file system of an open one durable; False where that is not reliable."""
        return sync_file_system(fd)

    def sync_name(self, key: SegmentKey) -> None:
        """Make the name of a new file durable."""
        _sync_folder(self.path_of(key).parent)

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
        self.delete_many([key])

    def delete_many(self, keys: Iterable[SegmentKey]) -> None:
        """As ``delete`` of each, but every folder is synced, and every side-car written, only once."""
        known: list[SegmentKey] = []
        folders: dict[Path, None] = {}
        for name, there, names in names_by_folder(keys):
            folder = self.path / name
            unlink_all(folder, names, unlinking.chosen())
            folders[folder] = None
            if sidecars.may_know(str(folder)):
                known += there
        sidecars.forget(self.path, known)
        kept: list[Path] = []
        while folders:
            gone: list[Path] = []
            for folder in folders:
                (gone if _remove_if_empty(folder) else kept).append(folder)
            folders = {folder.parent: None for folder in gone if folder.parent != self.path}
        _sync_folders(kept)

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
        sidecars.forget(self.path, [key])
        _sync_folder(folder)
        return target

    def begin_copy(self, key: SegmentKey) -> int:
        """A descriptor to write and read a copy of another volume's file with, under a name of its own; what
        an earlier attempt left there is overwritten."""
        self._need_identity()
        path = self._copy_path(key)
        path.parent.mkdir(mode=0o750, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def finish_copy(self, key: SegmentKey) -> None:
        """Give a copy that was verified and synced its name, durably; it replaces what has that name."""
        target = self.path_of(key)
        self._make_folders(target.parent)
        self._copy_path(key).rename(target)
        _sync_folder(target.parent)

    def clear_copies(self) -> None:
        """Remove what interrupted copies left."""
        folder = self.path / _COPIES_NAME
        for name in _names(folder):
            (folder / name).unlink(missing_ok=True)

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
        for camera in self.cameras():
            for folder in self._hours(camera):
                yield from sorted(self._keys(folder))

    def files(self, camera: int) -> Iterator[FoundFile]:
        """A camera's files with their sizes, in key order; much quicker than asking for each."""
        for folder in self._hours(camera):
            found = []
            gone = contextlib.suppress(FileNotFoundError, NotADirectoryError)
            with gone, os.scandir(folder) as entries:
                for entry in entries:
                    key = self._key(folder, entry.name)
                    with contextlib.suppress(FileNotFoundError):
                        if key is not None:
                            status = entry.stat()
                            found.append(FoundFile(key, status.st_size, int(status.st_mtime * 1000)))
            yield from sorted(found)

    def cameras(self) -> list[int]:
        """Which cameras have folders here, by number."""
        names = [name.removeprefix("cam-") for name in _names(self.path) if name.startswith("cam-")]
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

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
            key = self._key(folder, name)
            if key is not None:
                keys.append(key)
        return keys

    def _key(self, folder: Path, name: str) -> SegmentKey | None:
        camera, stream, day, hour = folder.parts[-4:]
        try:
            return SegmentKey.from_path(f"{camera}/{stream}/{day}/{hour}/{name}")
        except (ValueError, KeyError, OverflowError):
            return None

    def _hours(self, camera: int) -> Iterator[Path]:
        base = self.path / f"cam-{camera}"
        for stream in _names(base):
            for day in _names(base / stream):
                for hour in _names(base / stream / day):
                    yield base / stream / day / hour

    def _copy_path(self, key: SegmentKey) -> Path:
        return self.path / _COPIES_NAME / key.path().replace("/", "_")

    def _need_identity(self) -> None:
        if not (self.path / IDENTITY_NAME).exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))

    def _make_folders(self, folder: Path) -> None:
        """Make the folders of a file, but never the volume's own: a disk that is gone must not be made up."""
        self._need_identity()
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


def _remove_if_empty(folder: Path) -> bool:
    """Whether the folder is gone now."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _sync_folders(folders: list[Path]) -> None:
    """Make what changed in folders of one file system durable: with one call, where that is reliable. One
    that is gone meanwhile was removed by somebody who does that for the folder it was in."""
    for folder in folders:
        with contextlib.suppress(FileNotFoundError), _opened(folder) as fd:
            if len(folders) > 1:
                with contextlib.suppress(OSError):  # of whatever file: each folder is asked then
                    if sync_file_system(fd):
                        return
            os.fsync(fd)


def _sync_folder(folder: Path) -> None:
    with _opened(folder) as fd:
        os.fsync(fd)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
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
