"""Reading fragments back, from whole, open, cut or damaged files. No length that is read is trusted."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Protocol

from beholden.model.media import AccessUnit, Track
from beholden.model.segment import FragmentEntry, FragmentFlag
from beholden.model.time import ticks_to_ms
from beholden.record.fmp4.boxes import VIDEO_TRACK, Mp4Error, children

_HEADER = struct.Struct(">I4s")
_LARGEST_INIT = 256 * 1024
_LARGEST_MOOF = 4 * 1024 * 1024
_NOT_SYNC = 0x00010000


@dataclass(frozen=True, slots=True)
class FragmentRef:
    """Where one whole fragment lies and what it holds.

    ``start`` is the tick of its earliest picture, ``entry.ticks`` the distance to the next fragment's
    (for the last one, the sum of its durations).
    """

    offset: int
    start: int
    entry: FragmentEntry

    @property
    def size(self) -> int:
        """Bytes of moof and mdat together."""
        return self.entry.size


@dataclass(frozen=True, slots=True)
class Layout:
    """What ``walk`` found. ``end`` is where the last whole fragment ends; bytes after it are a cut one."""

    init: bytes
    fragments: list[FragmentRef]
    end: int

    @property
    def end_tick(self) -> int:
        """The tick at which the last picture's duration ends; only with at least one fragment."""
        last = self.fragments[-1]
        return last.start + last.entry.ticks


class _Source(Protocol):
    size: int

    def read(self, count: int, offset: int) -> bytes: ...


class _FileSource:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, count: int, offset: int) -> bytes:
        return os.pread(self._fd, count, offset)


class _BytesSource:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, count: int, offset: int) -> bytes:
        return self._data[offset : offset + count]


def walk(source: int | bytes) -> Layout:
    """The init segment and all whole fragments of a file (an open descriptor, or its bytes).

    Stops without complaint at a cut or damaged fragment; Mp4Error when there is no whole init segment;
    OSError when the disk fails. Reads headers and moofs only, never picture data.
    """
    data = _BytesSource(source) if isinstance(source, bytes) else _FileSource(source)
    init = _read_init(data)
    position = len(init)
    fragments: list[FragmentRef] = []
    while (found := _read_ref(data, position)) is not None:
        if fragments:
            fragments[-1] = _meet(fragments[-1], found.start)
        fragments.append(found)
        position += found.size
    return Layout(init, fragments, position)


def read_fragment(fd: int, ref: FragmentRef) -> bytes:
    """The bytes of a fragment; Mp4Error when the file has become shorter."""
    data = os.pread(fd, ref.size, ref.offset)
    if len(data) != ref.size:
        raise Mp4Error("the file is shorter than it was")
    return data


def read_units(fragment: bytes) -> list[AccessUnit]:
    """The access units of one fragment: pictures in decode order, then audio.

    ``arrival_ms`` is not kept on disk and reads as the fragment's start. Mp4Error when damaged.
    """
    moof_end = _moof_end(fragment)
    runs = _runs(fragment[:moof_end])
    arrival_ms = ticks_to_ms(max(0, runs[0].start)) if runs else 0
    units: list[AccessUnit] = []
    for run in runs:
        position = run.offset
        decode_time = run.start
        track = Track.VIDEO if run.track == VIDEO_TRACK else Track.AUDIO
        for duration, size, key, composition in run.samples:
            if position < moof_end or position + size > len(fragment):
                raise Mp4Error("a sample lies outside its fragment")
            sample = fragment[position : position + size]
            kept = duration if track is Track.AUDIO else 0
            pts = decode_time + composition
            units.append(AccessUnit(track, pts, key, (sample,), size, arrival_ms, kept))
            position += size
            decode_time += duration
    return units


@dataclass(frozen=True, slots=True)
class _Run:
    """One traf: samples are (duration, size, key, composition offset)."""

    track: int
    start: int
    offset: int
    samples: list[tuple[int, int, bool, int]]

    def earliest(self) -> int:
        """The presentation time of the picture shown first."""
        decode_time, earliest = self.start, self.start + self.samples[0][3]
        for duration, _, _, composition in self.samples:
            earliest = min(earliest, decode_time + composition)
            decode_time += duration
        return earliest


def _read_init(source: _Source) -> bytes:
    position = 0
    for expected in (b"ftyp", b"moov"):
        header = source.read(8, position)
        if len(header) < 8:
            raise Mp4Error("the file ends before its first fragment")
        size, kind = _HEADER.unpack(header)
        if kind != expected or size < 8 or position + size > _LARGEST_INIT:
            raise Mp4Error("the file does not begin as ours do")
        position += size
    if position > source.size:
        raise Mp4Error("the file ends before its first fragment")
    return source.read(position, 0)


def _read_ref(source: _Source, offset: int) -> FragmentRef | None:
    header = source.read(8, offset)
    if len(header) < 8:
        return None
    moof_size, kind = _HEADER.unpack(header)
    if kind != b"moof" or not 16 <= moof_size <= _LARGEST_MOOF:
        return None
    head = source.read(moof_size + 8, offset)
    if len(head) < moof_size + 8:
        return None
    mdat_size, kind = _HEADER.unpack_from(head, moof_size)
    size = moof_size + mdat_size
    if kind != b"mdat" or mdat_size < 8 or offset + size > source.size:
        return None
    try:
        runs = _runs(head[:moof_size])
    except Mp4Error:
        return None
    return _ref(offset, size, mdat_size - 8, runs)


def _ref(offset: int, size: int, payload: int, runs: list[_Run]) -> FragmentRef | None:
    if not runs or runs[0].track != VIDEO_TRACK or not runs[0].samples:
        return None
    if sum(sample[1] for run in runs for sample in run.samples) != payload:
        return None
    video = runs[0].samples
    flags = FragmentFlag(0)
    if video[0][2]:
        flags |= FragmentFlag.KEY
    if len(runs) > 1:
        flags |= FragmentFlag.AUDIO
    ticks = min(sum(sample[0] for sample in video), 0xFFFFFFFF)
    return FragmentRef(offset, runs[0].earliest(), FragmentEntry(size, ticks, len(video), flags))


def _meet(ref: FragmentRef, next_start: int) -> FragmentRef:
    ticks = next_start - ref.start
    if not 0 < ticks <= 0xFFFFFFFF:
        return ref
    entry = FragmentEntry(ref.entry.size, ticks, ref.entry.pictures, ref.entry.flags)
    return FragmentRef(ref.offset, ref.start, entry)


def _moof_end(fragment: bytes) -> int:
    if len(fragment) < 16:
        raise Mp4Error("the fragment is cut")
    size, kind = _HEADER.unpack_from(fragment)
    if kind != b"moof" or size > len(fragment) - 8 or fragment[size + 4 : size + 8] != b"mdat":
        raise Mp4Error("this is not a fragment")
    return int(size)


def _runs(moof: bytes) -> list[_Run]:
    try:
        return [_run(moof, start, end) for kind, start, end in children(moof, 8) if kind == b"traf"]
    except struct.error as error:
        raise Mp4Error("a box is shorter than its fields") from error


def _run(moof: bytes, start: int, end: int) -> _Run:
    track, default_duration, decode_time = 0, 0, 0
    for kind, inner, stop in children(moof, start, end):
        if kind == b"tfhd":
            flags, track = struct.unpack_from(">II", moof[inner:stop])
            if flags & 0x08:
                (default_duration,) = struct.unpack_from(">I", moof[inner:stop], 8)
        elif kind == b"tfdt":
            (decode_time,) = struct.unpack_from(">Q", moof[inner:stop], 4)
        elif kind == b"trun":
            offset, samples = _samples(moof[inner:stop], default_duration)
            return _Run(track, decode_time, offset, samples)
    raise Mp4Error("a track fragment has no samples")


def _samples(trun: bytes, default_duration: int) -> tuple[int, list[tuple[int, int, bool, int]]]:
    flags, count, offset = struct.unpack_from(">IIi", trun)
    flags &= 0xFFFFFF
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if 0x200 not in fields or 12 + 4 * len(fields) * count != len(trun) or not flags & 1:
        raise Mp4Error("a run of samples is not laid out as ours")
    values = struct.unpack_from(f">{len(fields) * count}I", trun, 12)
    columns = {bit: values[index :: len(fields)] for index, bit in enumerate(fields)}
    durations = columns.get(0x100, (default_duration,) * count)
    sample_flags = columns.get(0x400, (0,) * count)
    compositions = columns.get(0x800, (0,) * count)
    samples = [
        (durations[i], columns[0x200][i], not sample_flags[i] & _NOT_SYNC, _signed(compositions[i]))
        for i in range(count)
    ]
    return offset, samples


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value
