"""Reading fragments back, from whole, open, cut or damaged files. No length that is read is trusted."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
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
    runs = sample_runs(fragment[:moof_end])
    arrival_ms = ticks_to_ms(max(0, runs[0].start)) if runs else 0
    units: list[AccessUnit] = []
    for run in runs:
        position = run.offset
        track = Track.VIDEO if run.track == VIDEO_TRACK else Track.AUDIO
        compositions = run.compositions or repeat(0)
        columns = zip(run.decode_times(), run.durations, run.sizes, run.keys(), compositions, strict=False)
        for decode_time, duration, size, key, composition in columns:
            if position < moof_end or position + size > len(fragment):
                raise Mp4Error("a sample lies outside its fragment")
            sample = fragment[position : position + size]
            kept = duration if track is Track.AUDIO else 0
            units.append(AccessUnit(track, decode_time + composition, key, (sample,), size, arrival_ms, kept))
            position += size
    return units


@dataclass(frozen=True, slots=True)
class SampleRun:
    """The samples of one track in one fragment, in decode order, by columns; times in the track's ticks.

    ``start`` is the first one's decode time, ``offset`` where its bytes begin, counted from the start of the
    moof. ``flags`` are as stored; ``compositions`` (presentation less decode time) is empty without any.
    """

    track: int
    start: int
    offset: int
    durations: Sequence[int]
    sizes: Sequence[int]
    flags: Sequence[int]
    compositions: Sequence[int]

    def earliest(self) -> int:
        """The presentation time of the sample shown first."""
        if not self.compositions:
            return self.start
        return min(at + offset for at, offset in zip(self.decode_times(), self.compositions, strict=True))

    def decode_times(self) -> Iterable[int]:
        """When each is decoded."""
        return accumulate(self.durations[:-1], initial=self.start)

    def keys(self) -> list[bool]:
        """Which can be entered at."""
        return [not flags & _NOT_SYNC for flags in self.flags]


def sample_runs(moof: bytes) -> list[SampleRun]:
    """What a moof says of its samples, a run for each track; Mp4Error when it is not laid out as ours."""
    try:
        return [_run(moof, start, end) for kind, start, end in children(moof, 8) if kind == b"traf"]
    except struct.error as error:
        raise Mp4Error("a box is shorter than its fields") from error


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
        runs = sample_runs(head[:moof_size])
    except Mp4Error:
        return None
    return _ref(offset, size, mdat_size - 8, runs)


def _ref(offset: int, size: int, payload: int, runs: list[SampleRun]) -> FragmentRef | None:
    if not runs or runs[0].track != VIDEO_TRACK or not runs[0].sizes:
        return None
    if sum(sum(run.sizes) for run in runs) != payload:
        return None
    video = runs[0]
    flags = FragmentFlag(0) if video.flags[0] & _NOT_SYNC else FragmentFlag.KEY
    if len(runs) > 1:
        flags |= FragmentFlag.AUDIO
    ticks = min(sum(video.durations), 0xFFFFFFFF)
    pictures = min(len(video.sizes), 0xFFFF)
    return FragmentRef(offset, video.earliest(), FragmentEntry(size, ticks, pictures, flags))


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


def _run(moof: bytes, start: int, end: int) -> SampleRun:
    track, default_duration, decode_time = 0, 0, 0
    for kind, inner, stop in children(moof, start, end):
        if kind == b"tfhd":
            flags, track = struct.unpack_from(">II", moof[inner:stop])
            if flags & 0x08:
                (default_duration,) = struct.unpack_from(">I", moof[inner:stop], 8)
        elif kind == b"tfdt":
            (decode_time,) = struct.unpack_from(">Q", moof[inner:stop], 4)
        elif kind == b"trun":
            return _samples(moof[inner:stop], track, decode_time, default_duration)
    raise Mp4Error("a track fragment has no samples")


def _samples(trun: bytes, track: int, decode_time: int, default_duration: int) -> SampleRun:
    flags, count, offset = struct.unpack_from(">IIi", trun)
    flags &= 0xFFFFFF
    fields = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if 0x200 not in fields or 12 + 4 * len(fields) * count != len(trun) or not flags & 1:
        raise Mp4Error("a run of samples is not laid out as ours")
    values = struct.unpack_from(f">{len(fields) * count}I", trun, 12)
    columns = {bit: values[index :: len(fields)] for index, bit in enumerate(fields)}
    return SampleRun(
        track,
        decode_time,
        offset,
        columns.get(0x100, (default_duration,) * count),
        columns[0x200],
        columns.get(0x400, (0,) * count),
        [_signed(value) for value in columns.get(0x800, ())],
    )


def _signed(value: int) -> int:
    return value - (1 << 32) if value & 0x80000000 else value
