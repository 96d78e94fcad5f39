"""What was seen in footage, kept beside it and leaving with it: side-car files.

A side-car is a file of blocks, each of one segment. When a segment is deleted, its blocks are overwritten,
and the file goes with the last of them. Motion and sound have one file a day and camera, so that a search
through a month touches thirty; boxes have one an hour, in the folder of their segments. The layout is in
docs/design/memory.md.

Two processes write here: the analyser appends, the recorder forgets. Both lock the file for it. A block is
appended only while its segment's file exists, and forgotten only after it is gone, so none outlives it.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import itertools
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from beholden.model.segment import SegmentKey
from beholden.model.time import from_ms

VERSION = 1
_MAGIC = b"BHSIDE"
_HEAD = struct.Struct(">6sBB")  # magic, version, kind
_BLOCK = struct.Struct(">HBqIqII")  # mark, live, segment start, epoch, first instant, size, CRC-32 of payload
_MARK = 0x5B1D
_HOUR_MS = 3_600_000
_LIVE_AT = 2  # where ``live`` lies in a block's header


class SideKind(enum.IntEnum):
    """What a side-car holds: the motion grid, boxes of objects, or sound levels."""

    MOTION = 1
    BOXES = 2
    SOUND = 3


class Block(NamedTuple):
    """One block: its segment's start and epoch, the instant its payload begins (epoch milliseconds)."""

    segment_ms: int
    epoch: int
    first_ms: int
    payload: memoryview


class _Place(NamedTuple):
    offset: int
    live: bool
    segment_ms: int
    epoch: int
    first_ms: int
    size: int
    crc: int

    @property
    def end(self) -> int:
        return self.offset + _BLOCK.size + self.size


def sidecar_path(root: Path, key: SegmentKey, kind: SideKind) -> Path:
    """Where a segment's blocks lie: ``…/2026-11-23/motion.side``, but ``…/2026-11-23/22/boxes.side``."""
    hour = (root / key.path()).parent
    return (hour if kind is SideKind.BOXES else hour.parent) / f"{kind.name.lower()}.side"


def append(root: Path, key: SegmentKey, kind: SideKind, blocks: Sequence[tuple[int, bytes]]) -> bool:
    """Add blocks (first instant, payload) of a segment; False when it is not there (any more). May raise
    OSError."""
    path = sidecar_path(root, key, kind)
    try:
        with _locked(path, create=True) as fd:
            if not (root / key.path()).exists():
                _remove_if_empty(path, fd)
                return False
            end = _sound_end(fd, kind)
            os.ftruncate(fd, end)
            os.pwrite(fd, b"".join(_packed(key, first_ms, payload) for first_ms, payload in blocks), end)
    except FileNotFoundError:
        return False
    return True


def read_blocks(path: Path, kind: SideKind) -> list[Block]:
    """The blocks of a side-car in the order they were written; none when there is no such file, or it is not
    one of ours. What is damaged is left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    view, size = memoryview(data), _BLOCK.size
    blocks = []
    for at, live, segment_ms, epoch, first_ms, length, crc in _walk(data, kind):
        payload = view[at + size : at + size + length]
        if live and zlib.crc32(payload) == crc:
            blocks.append(Block(segment_ms, epoch, first_ms, payload))
    return blocks


def may_know(hour: str) -> bool:
    """Whether there is any side-car for the segments of an hour's folder."""
    day = hour.rpartition("/")[0]
    return any(
        os.path.exists(f"{hour if kind is SideKind.BOXES else day}/{kind.name.lower()}.side")  # noqa: PTH110
        for kind in SideKind
    )


def forget(root: Path, keys: Iterable[SegmentKey]) -> None:
    """Overwrite segments' blocks durably; a side-car without others goes. May raise OSError."""
    by_hour: dict[tuple[int, int, int], list[SegmentKey]] = {}
    for key in keys:
        by_hour.setdefault((key.camera, int(key.stream), key.start_ms // _HOUR_MS), []).append(key)
    names: dict[tuple[Path, SideKind], set[tuple[int, int]]] = {}
    for each in by_hour.values():
        for kind in SideKind:
            if not sidecar_path(root, each[0], kind).exists():
                continue
            gone = names.setdefault((sidecar_path(root, each[0], kind), kind), set())
            gone.update((key.start_ms, key.epoch) for key in each)
    for (path, kind), gone in names.items():
        with contextlib.suppress(FileNotFoundError), _locked(path) as fd:
            data = _read(fd)
            places = list(_places(data, kind))
            own = [place for place in places if (place.segment_ms, place.epoch) in gone]
            for place in own:
                os.pwrite(fd, bytes(1), place.offset + _LIVE_AT)
                os.pwrite(fd, bytes(place.size), place.offset + _BLOCK.size)
            if not any(place.live and place not in own for place in places):
                path.unlink(missing_ok=True)
            elif own:
                os.fdatasync(fd)


def copy(source: Path, target: Path, key: SegmentKey) -> None:
    """Take a segment's blocks along to another volume, where its file is already; the source's stay until the
    segment is deleted there. Copying twice adds them once. May raise OSError."""
    for kind in SideKind:
        there = _own(target, key, kind)
        for block in _own(source, key, kind):
            if all((block.first_ms, block.payload) != (known.first_ms, known.payload) for known in there):
                append(target, key, kind, [(block.first_ms, bytes(block.payload))])


def sidecars_between(root: Path, camera: int, kind: SideKind, start_ms: int, end_ms: int) -> list[Path]:
    """Side-cars of a camera's main stream whose segments may overlap [start_ms, end_ms), in order of time."""
    base = root / f"cam-{camera}" / "main"
    first, last = from_ms(max(0, start_ms - _REACH_MS)), from_ms(max(0, end_ms))
    name = f"{kind.name.lower()}.side"
    found = []
    for day in _folders(base, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"):
        if kind is not SideKind.BOXES:
            found.append(day / name)
            continue
        lowest = f"{first:%H}" if day.name == f"{first:%Y-%m-%d}" else "00"
        highest = f"{last:%H}" if day.name == f"{last:%Y-%m-%d}" else "23"
        found += [hour / name for hour in _folders(day, lowest, highest)]
    return found


_REACH_MS = 600_000  # a segment that began before the range may reach into it: none is nearly as long


def _own(root: Path, key: SegmentKey, kind: SideKind) -> list[Block]:
    blocks = read_blocks(sidecar_path(root, key, kind), kind)
    return [block for block in blocks if (block.segment_ms, block.epoch) == (key.start_ms, key.epoch)]


def _folders(base: Path, first: str, last: str) -> list[Path]:
    try:
        names = sorted(os.listdir(base))  # noqa: PTH208 - names are compared as texts
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [base / name for name in names if first <= name <= last and not name.endswith(".side")]


@contextlib.contextmanager
def _locked(path: Path, *, create: bool = False) -> Iterator[int]:
    """A descriptor of the file that is there now, locked; FileNotFoundError when there is none."""
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    while True:
        fd = os.open(path, flags, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:  # else it was removed while we waited: open the one that is there now
                yield fd
                return
        finally:
            os.close(fd)


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _sound_end(fd: int, kind: SideKind) -> int:
    """Where the next block goes: behind the last whole one. A new, foreign or damaged file begins anew."""
    data = _read(fd)
    if data[: _HEAD.size] != _HEAD.pack(_MAGIC, VERSION, kind):
        os.ftruncate(fd, 0)
        os.pwrite(fd, _HEAD.pack(_MAGIC, VERSION, kind), 0)
        return _HEAD.size
    end = _HEAD.size
    for place in _places(data, kind):
        end = place.end
    return end


def _packed(key: SegmentKey, first_ms: int, payload: bytes) -> bytes:
    crc = zlib.crc32(payload)
    return _BLOCK.pack(_MARK, 1, key.start_ms, key.epoch, first_ms, len(payload), crc) + payload


def _remove_if_empty(path: Path, fd: int) -> None:
    if not os.fstat(fd).st_size:
        path.unlink(missing_ok=True)


def _places(data: bytes, kind: SideKind) -> Iterator[_Place]:
    """Where blocks lie, up to the first that is cut: a crash while appending leaves no more than that."""
    return itertools.starmap(_Place, _walk(data, kind))


def _walk(data: bytes, kind: SideKind) -> Iterator[tuple[int, bool, int, int, int, int, int]]:
    """The fields of ``_Place``, plain: a search reads tens of thousands."""
    if data[: _HEAD.size] != _HEAD.pack(_MAGIC, VERSION, kind):
        return
    at, end, unpack = _HEAD.size, len(data), _BLOCK.unpack_from
    while at + _BLOCK.size <= end:
        mark, live, segment_ms, epoch, first_ms, size, crc = unpack(data, at)
        if mark != _MARK or at + _BLOCK.size + size > end:
            return
        yield at, bool(live), segment_ms, epoch, first_ms, size, crc
        at += _BLOCK.size + size
