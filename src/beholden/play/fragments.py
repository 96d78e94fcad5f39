"""Fragments (one moof and its mdat) taken apart into samples, put together again, and moved in time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from beholden.record.fmp4 import Mp4Error
from beholden.record.fmp4.boxes import box, children, full_box

SYNC, NON_SYNC = 0x02000000, 0x01010000
_NOT_SYNC_BIT = 0x10000


class Sample(NamedTuple):
    """One picture or audio frame. ``offset`` is presentation less decode time; both times in track ticks."""

    data: bytes
    duration: int
    key: bool = True
    offset: int = 0


@dataclass(slots=True)
class Run:
    """The samples of one track in one fragment, in decode order; ``time`` is the first one's decode time."""

    track: int
    time: int
    samples: list[Sample] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Decode time just after the last sample."""
        return self.time + sum(sample.duration for sample in self.samples)


def build_fragment(sequence: int, runs: Sequence[Run]) -> bytes:
    """One moof+mdat holding the runs in order; runs without samples are left out."""
    runs = [run for run in runs if run.samples]
    sizes = [sum(len(sample.data) for sample in run.samples) for run in runs]
    offsets = [0] * len(runs)
    moof = _moof(sequence, runs, offsets)
    at = len(moof) + 8
    for index, size in enumerate(sizes):
        offsets[index] = at
        at += size
    moof = _moof(sequence, runs, offsets)
    parts = [moof, struct.pack(">I4s", 8 + sum(sizes), b"mdat")]
    for run in runs:
        parts += [sample.data for sample in run.samples]
    return b"".join(parts)


def read_fragments(data: bytes) -> list[Run]:
    """The runs of all fragments in ``data`` (which holds whole ones), a track's runs in order.

    Raises Mp4Error for anything cut off or foreign.
    """
    runs: list[Run] = []
    try:
        for kind, inner, stop in children(data):
            if kind == b"moof":
                trafs = [(at, end) for name, at, end in children(data, inner, stop) if name == b"traf"]
                runs += [_read_traf(data, inner - 8, stop + 8, at, end) for at, end in trafs]
    except (struct.error, IndexError) as error:
        raise Mp4Error("a moof box is cut off") from error
    return runs


def by_track(runs: Sequence[Run]) -> dict[int, Run]:
    """Runs of each track joined into one; a hole or overlap in time is given to the sample before it."""
    joined: dict[int, Run] = {}
    for run in runs:
        if not run.samples:
            continue
        whole = joined.get(run.track)
        if whole is None:
            joined[run.track] = Run(run.track, run.time, list(run.samples))
            continue
        missing = run.time - whole.end
        if missing:
            last = whole.samples[-1]
            whole.samples[-1] = last._replace(duration=max(0, last.duration + missing))
        whole.samples += run.samples
    return joined


def move(moof: bytearray, sequence: int, shifts: dict[int, int]) -> None:
    """Renumber a moof in place and add ``shifts[track]`` to each track's decode time."""
    for kind, inner, stop in children(bytes(moof), 8):
        if kind == b"mfhd":
            struct.pack_into(">I", moof, inner + 4, sequence)
        elif kind == b"traf":
            _move_traf(moof, inner, stop, shifts)


def _move_traf(moof: bytearray, start: int, end: int, shifts: dict[int, int]) -> None:
    track = 0
    for kind, inner, _ in children(bytes(moof), start, end):
        if kind == b"tfhd":
            (track,) = struct.unpack_from(">I", moof, inner + 4)
        elif kind == b"tfdt":
            layout = ">Q" if moof[inner] == 1 else ">I"
            (time,) = struct.unpack_from(layout, moof, inner + 4)
            struct.pack_into(layout, moof, inner + 4, max(0, time + shifts.get(track, 0)))


def _moof(sequence: int, runs: Sequence[Run], offsets: Sequence[int]) -> bytes:
    trafs = [_traf(run, offset) for run, offset in zip(runs, offsets, strict=True)]
    return box(b"moof", full_box(b"mfhd", 0, 0, struct.pack(">I", sequence & 0xFFFFFFFF)), *trafs)


def _traf(run: Run, data_offset: int) -> bytes:
    reordered = any(sample.offset for sample in run.samples)
    entries = bytearray()
    for sample in run.samples:
        entries += struct.pack(">III", sample.duration, len(sample.data), SYNC if sample.key else NON_SYNC)
        if reordered:
            entries += struct.pack(">i", sample.offset)
    flags = 0x701 | (0x800 if reordered else 0)
    return box(
        b"traf",
        full_box(b"tfhd", 0, 0x20000, struct.pack(">I", run.track)),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", run.time)),
        full_box(b"trun", 1, flags, struct.pack(">Ii", len(run.samples), data_offset), bytes(entries)),
    )


class _Defaults(NamedTuple):
    duration: int
    size: int
    flags: int


def _read_traf(data: bytes, moof: int, payload: int, start: int, end: int) -> Run:
    """One traf between ``start`` and ``end`` of the moof at ``moof``, whose samples begin at ``payload``
    unless it says otherwise."""
    run, defaults, at = Run(0, 0), _Defaults(0, 0, 0), payload
    for kind, inner, stop in children(data, start, end):
        if kind == b"tfhd":
            (run.track,) = struct.unpack_from(">I", data, inner + 4)
            defaults = _read_tfhd(data, inner)
        elif kind == b"tfdt":
            (run.time,) = struct.unpack_from(">Q" if data[inner] == 1 else ">I", data, inner + 4)
        elif kind == b"trun":
            at = _read_trun(data, moof, (inner, stop), run, defaults, at)
    return run


def _read_tfhd(data: bytes, inner: int) -> _Defaults:
    flags, at = int.from_bytes(data[inner + 1 : inner + 4], "big"), inner + 8
    at += (8 if flags & 1 else 0) + (4 if flags & 2 else 0)
    values = []
    for bit in (0x8, 0x10, 0x20):
        values.append(struct.unpack_from(">I", data, at)[0] if flags & bit else 0)
        at += 4 if flags & bit else 0
    return _Defaults(*values)


def _read_trun(data: bytes, moof: int, place: tuple[int, int], run: Run, defaults: _Defaults, at: int) -> int:
    inner, stop = place
    flags, cursor = int.from_bytes(data[inner + 1 : inner + 4], "big"), inner + 8
    (count,) = struct.unpack_from(">I", data, inner + 4)
    first_flags: int | None = None
    if flags & 0x1:
        at = moof + int(struct.unpack_from(">i", data, cursor)[0])
        cursor += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", data, cursor)
        cursor += 4
    present = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
    entry = struct.Struct(">" + "".join(c for c, has in zip("IIIi", present, strict=True) if has))
    if cursor + count * entry.size > stop or at < 0 or count > len(data):
        raise Mp4Error("a trun box is cut off")
    for index in range(count):
        values = iter(entry.unpack_from(data, cursor + index * entry.size))
        duration = next(values) if present[0] else defaults.duration
        size = next(values) if present[1] else defaults.size
        marks = next(values) if present[2] else defaults.flags
        if index == 0 and first_flags is not None and not present[2]:
            marks = first_flags
        offset = next(values) if present[3] else 0
        if at + size > len(data):
            raise Mp4Error("a sample lies outside the data")
        run.samples.append(Sample(data[at : at + size], duration, not marks & _NOT_SYNC_BIT, offset))
        at += size
    return at
