"""Fragments: one moof and one mdat, ready for one write."""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from operator import sub
from typing import Final

from beholden.model.media import AccessUnit
from beholden.model.segment import FragmentEntry, FragmentFlag
from beholden.model.time import TICKS_PER_SECOND
from beholden.record.fmp4.boxes import AUDIO_TRACK, VIDEO_TRACK

_KEY_FLAGS: Final = 0x02000000  # depends on no other picture
_OTHER_FLAGS: Final = 0x01010000  # depends on others, not a sync sample
_DATA_OFFSET: Final = 0x1
_DURATION: Final = 0x100
_SIZE: Final = 0x200
_FLAGS: Final = 0x400
_COMPOSITION: Final = 0x800
_BASE_IS_MOOF: Final = 0x020000
_DEFAULT_DURATION: Final = 0x08
_LONGEST_TICKS: Final = 0xFFFFFFFF
_NO_FLAG: Final = FragmentFlag(0)
_WITH_SOUND: Final = {flag: flag | FragmentFlag.AUDIO for flag in (_NO_FLAG, FragmentFlag.KEY)}
# Heads of boxes in one piece each: this is done for every camera every second.
_HEADER: Final = struct.Struct(">I4s")
_MOOF: Final = struct.Struct(">I4sI4sII")  # with its mfhd
_PLAIN: Final = struct.Struct(">I4sII")  # tfhd
_DEFAULTED: Final = struct.Struct(">I4sIII")  # tfhd with a default duration
_TIMES: Final = struct.Struct(">I4sIQI4sIIi")  # tfdt, and trun before its samples
_VIDEO_HEADER: Final = _PLAIN.pack(16, b"tfhd", _BASE_IS_MOOF, VIDEO_TRACK)
_USUAL_PICTURE: Final = TICKS_PER_SECOND // 25


@dataclass(slots=True)
class Fragment:
    """One fragment. ``parts`` joined are its bytes; ``start`` is its earliest picture's tick, which is
    its tfdt unless pictures are reordered."""

    parts: list[bytes]
    start: int
    entry: FragmentEntry


class FragmentWriter:
    """Builds the fragments of one file in order.

    Pictures come in decode order. Decode times are the presentation times sorted within the fragment, less
    the reordering delay; a fragment may be cut only where the next picture's pts is above all before it.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._next_video = 0
        self._usual = _USUAL_PICTURE  # how long a picture lasts when the next is not known
        self._delay = 0  # ticks from decoding to showing, for streams that reorder
        self._next_audio = 0

    def fragment(
        self, video: list[AccessUnit], audio: list[AccessUnit], next_pts: int | None = None
    ) -> Fragment:
        """The fragment of at least one picture and any audio; ``next_pts`` is the picture that follows."""
        self._sequence += 1
        in_order = self._delay == 0 and _rises(video, self._next_video)
        seen = self._video_run(video, next_pts) if in_order else self._reordered_run(video)
        runs = [seen]
        parts = [b"", b""]
        for unit in video:
            parts.extend(unit.parts)
        flags = FragmentFlag.KEY if video[0].key else _NO_FLAG
        if audio:
            runs.append(self._audio_run(audio))
            for unit in audio:
                parts.extend(unit.parts)
            flags = _WITH_SOUND[flags]
        payload = 0
        for run in runs:
            payload += run.payload
        parts[0] = _moof(self._sequence, runs)
        parts[1] = _HEADER.pack(8 + payload, b"mdat")
        ticks = min(seen.ticks, _LONGEST_TICKS)
        start = seen.start if in_order else min([unit.pts for unit in video])
        return Fragment(parts, start, FragmentEntry(len(parts[0]) + 8 + payload, ticks, len(video), flags))

    def _video_run(self, video: list[AccessUnit], next_pts: int | None) -> _Run:
        """Pictures that are shown in the order in which they come, as nearly all are: in plain steps, which
        compiled cost a few nanoseconds each."""
        fields = [0] * (3 * len(video))
        at = size = 0
        pts = start = video[0].pts
        for unit in video:
            if at:
                fields[at - 3] = unit.pts - pts
            pts = unit.pts
            fields[at + 1] = unit.size
            fields[at + 2] = _KEY_FLAGS if unit.key else _OTHER_FLAGS
            size += unit.size
            at += 3
        if at > 3:
            self._usual = fields[at - 6]
        last = self._last_duration(pts, next_pts)
        fields[at - 3] = last
        self._next_video = pts + 1
        body = _numbers(at).pack(*fields)
        flags = _DURATION | _SIZE | _FLAGS
        return _Run(_VIDEO_HEADER, start, 1, flags, len(video), body, size, pts - start + last)

    def _last_duration(self, pts: int, next_pts: int | None) -> int:
        if next_pts is None or next_pts <= pts:
            return self._usual
        self._usual = min(next_pts - pts, TICKS_PER_SECOND)
        return next_pts - pts

    def _reordered_run(self, video: list[AccessUnit]) -> _Run:
        times = self._decode_times([unit.pts for unit in video])
        durations = list(map(sub, times[1:], times))
        if durations:
            self._usual = durations[-1]
        durations.append(self._usual)
        self._next_video = times[-1] + 1
        count = len(video)
        fields = [0] * (4 * count)
        fields[::4] = durations
        fields[1::4] = sizes = [unit.size for unit in video]
        fields[2::4] = [_KEY_FLAGS if unit.key else _OTHER_FLAGS for unit in video]
        fields[3::4] = [(unit.pts - at) & 0xFFFFFFFF for unit, at in zip(video, times, strict=True)]
        body = _numbers(4 * count).pack(*fields)
        flags = _DURATION | _SIZE | _FLAGS | _COMPOSITION
        # Version 1: composition offsets are signed.
        return _Run(_VIDEO_HEADER, times[0], 1, flags, count, body, sum(sizes), sum(durations))

    def _decode_times(self, shown: list[int]) -> list[int]:
        ordered = sorted(shown)
        # Decode early enough that no picture is shown before it is decoded: players take a negative
        # composition offset as a shift of the whole track.
        self._delay = max(self._delay, *(time - pts for time, pts in zip(ordered, shown, strict=True)))
        times, low = [], self._next_video
        for value in ordered:
            low = max(value - self._delay, low)
            times.append(low)
            low += 1  # decode times must rise, also over equal or late presentation times
        return times

    def _audio_run(self, audio: list[AccessUnit]) -> _Run:
        usual = audio[-1].duration
        even = usual >= 1
        sizes = [0] * len(audio)
        at = size = 0
        pts = audio[0].pts - usual
        for unit in audio:
            even = even and unit.pts - pts == usual
            pts = unit.pts
            sizes[at] = unit.size
            size += unit.size
            at += 1
        start = max(audio[0].pts, self._next_audio)
        if not even:
            return self._uneven_run(audio, sizes, start)
        ticks = usual * at
        self._next_audio = start + ticks - usual + 1
        header = _DEFAULTED.pack(20, b"tfhd", _BASE_IS_MOOF | _DEFAULT_DURATION, AUDIO_TRACK, usual)
        return _Run(header, start, 0, _SIZE, at, _numbers(at).pack(*sizes), size, ticks)

    def _uneven_run(self, audio: list[AccessUnit], sizes: list[int], start: int) -> _Run:
        times = [unit.pts for unit in audio]
        durations = [max(1, step) for step in map(sub, times[1:], times)]
        durations.append(max(1, audio[-1].duration))
        count, ticks = len(sizes), sum(durations)
        self._next_audio = start + ticks - durations[-1] + 1
        fields = [0] * (2 * count)
        fields[::2], fields[1::2] = durations, sizes
        header = _PLAIN.pack(16, b"tfhd", _BASE_IS_MOOF, AUDIO_TRACK)
        body = _numbers(2 * count).pack(*fields)
        return _Run(header, start, 0, _DURATION | _SIZE, count, body, sum(sizes), ticks)


def _rises(video: list[AccessUnit], low: int) -> bool:
    """Whether every picture is shown after the one before it, and none before ``low``."""
    low -= 1
    for unit in video:
        if unit.pts <= low:
            return False
        low = unit.pts
    return True


@functools.lru_cache(256)
def _numbers(count: int) -> struct.Struct:
    return struct.Struct(f">{count}I")


@dataclass(slots=True)
class _Run:
    """One traf before its data offset is known. ``payload`` is the bytes of its samples."""

    header: bytes
    start: int
    version: int
    flags: int
    count: int
    body: bytes
    payload: int
    ticks: int

    def box(self, offset: int) -> tuple[bytes, ...]:
        """The traf in parts, its samples at ``offset`` from the start of the moof."""
        times = _TIMES.pack(
            20, b"tfdt", 1 << 24, self.start,
            20 + len(self.body), b"trun", self.version << 24 | self.flags | _DATA_OFFSET, self.count, offset,
        )  # fmt: skip
        return _HEADER.pack(self.box_size, b"traf"), self.header, times, self.body

    @property
    def box_size(self) -> int:
        """Bytes of ``box``."""
        return 8 + len(self.header) + 20 + 20 + len(self.body)


def _moof(sequence: int, runs: list[_Run]) -> bytes:
    size = _MOOF.size
    for run in runs:
        size += run.box_size
    boxes, offset = [_MOOF.pack(size, b"moof", 16, b"mfhd", 0, sequence)], size + 8
    for run in runs:
        boxes += run.box(offset)
        offset += run.payload
    return b"".join(boxes)
