"""Segments (files) and fragments (one moof+mdat in them), and the packed fragment index.

A segment is named by (camera, stream, start, epoch); its path derives from that key, so no table
holds paths. Epoch tells apart copies written by different recorders of the same instant.
"""

from __future__ import annotations

import enum
import functools
import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from beholden.model.camera import StreamRole
from beholden.model.time import from_ms

_ENTRY = struct.Struct(">IIHB")
_ZLIB = b"\x78"
_HOUR_MS = 3_600_000
_MINUTES = tuple(f"{second // 60:02d}-{second % 60:02d}" for second in range(3600))
_MILLIS = tuple(f"{millisecond:03d}" for millisecond in range(1000))


@functools.lru_cache(maxsize=1024)
def _folder(camera: int, stream: StreamRole, hour: int) -> tuple[str, str]:
    """The folder of one hour (since the epoch), and the hour as its names have it. Kept, since whole days of
    files are named at once when they are deleted or compared."""
    begins = from_ms(hour * _HOUR_MS)
    return f"cam-{camera}/{stream.name.lower()}/{begins:%Y-%m-%d/%H}", f"{begins:%H}"


class FragmentFlag(enum.IntFlag):
    """Bits of one fragment's entry."""

    KEY = 1  # its first picture is a keyframe: playback can begin here
    AUDIO = 2  # it carries audio


@dataclass(frozen=True, slots=True)
class FragmentEntry:
    """One fragment: bytes in the file, video duration in 90 kHz ticks, pictures, flags."""

    size: int
    ticks: int
    pictures: int
    flags: FragmentFlag


class SegmentKey(NamedTuple):
    """What names a segment everywhere. Ordered by its fields; a tuple, since there are millions of them."""

    camera: int
    stream: StreamRole
    start_ms: int
    epoch: int = 0

    def path(self) -> str:
        """``cam-3/main/2026-11-23/22/22-15-04.250_1795472104250-0.mp4``, relative to a volume, in UTC."""
        folder, clock = _folder(*_hour_of(self))
        return f"{folder}/{_names(clock, [self])[0]}"

    @classmethod
    def from_path(cls, path: str) -> SegmentKey:
        """The key a path was derived from; ValueError when it is not one of ours."""
        parts = path.split("/")
        if len(parts) != 5 or not parts[0].startswith("cam-") or not parts[4].endswith(".mp4"):
            raise ValueError(f"not a segment path: {path!r}")
        stamp = parts[4][: -len(".mp4")].rpartition("_")[2]
        start, _, epoch = stamp.partition("-")
        key = cls(int(parts[0][4:]), StreamRole[parts[1].upper()], int(start), int(epoch))
        if key.path() != path:
            raise ValueError(f"not a segment path: {path!r}")
        return key


def names_by_folder(keys: Iterable[SegmentKey]) -> Iterator[tuple[str, list[SegmentKey], list[str]]]:
    """(folder, keys in it, their names) of files, for each run of keys that share a folder. A path is folder,
    slash, name."""
    for (camera, stream, hour), group in itertools.groupby(keys, key=_hour_of):
        folder, clock = _folder(camera, stream, hour)
        there = list(group)
        yield folder, there, _names(clock, there)


def _names(clock: str, keys: list[SegmentKey]) -> list[str]:
    """Of files in the folder of an hour; ``clock`` is that hour of the day."""
    return [
        f"{clock}-{_MINUTES[start_ms // 1000 % 3600]}.{_MILLIS[start_ms % 1000]}_{start_ms}-{epoch}.mp4"
        for _, _, start_ms, epoch in keys
    ]


def _hour_of(key: SegmentKey) -> tuple[int, StreamRole, int]:
    return key[0], key[1], key[2] // _HOUR_MS


def pack_fragments(entries: Iterable[FragmentEntry]) -> bytes:
    """11 bytes a fragment, big-endian: size u32, ticks u32, pictures u16, flags u8; the first bytes of all,
    then the second ones and so on, as a zlib stream. Two fifths are left, since neighbours are alike."""
    plain = b"".join(_ENTRY.pack(e.size, e.ticks, e.pictures, e.flags) for e in entries)
    return zlib.compress(b"".join(plain[at :: _ENTRY.size] for at in range(_ENTRY.size)))


def unpack_fragments(blob: bytes) -> Iterator[FragmentEntry]:
    """The entries of a packed index; ValueError on a cut or foreign blob."""
    for size, ticks, pictures, flags in _ENTRY.iter_unpack(_plain(blob)):
        yield FragmentEntry(size, ticks, pictures, FragmentFlag(flags))


def _plain(blob: bytes) -> bytes:
    """The 11 bytes of each fragment. Rows of older catalogs hold just those: they begin with the size of a
    fragment, which is far below the 2 GB that a zlib header would be."""
    if not blob.startswith(_ZLIB):
        return _whole(blob)
    try:
        columns = _whole(zlib.decompress(blob))
    except zlib.error as error:
        raise ValueError("a fragment index is cut or damaged") from error
    plain = bytearray(len(columns))
    count = len(columns) // _ENTRY.size
    for at in range(_ENTRY.size):
        plain[at :: _ENTRY.size] = columns[at * count : (at + 1) * count]
    return bytes(plain)


def _whole(entries: bytes) -> bytes:
    if len(entries) % _ENTRY.size:
        raise ValueError("a fragment index has a length that is not a multiple of 11 bytes")
    return entries
