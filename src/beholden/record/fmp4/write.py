"""Fragments: one moof and one mdat, ready for one write."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import lt, sub

from beholden.model.media import AccessUnit
from beholden.model.segment import FragmentEntry, FragmentFlag
from beholden.model.time import TICKS_PER_SECOND
from beholden.record.fmp4.boxes import AUDIO_TRACK, VIDEO_TRACK

_KEY_FLAGS = 0x02000000  # depends on no other picture
_OTHER_FLAGS = 0x01010000  # depends on others, not a sync sample
_DATA_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x100, 0x200, 0x400, 0x800
_BASE_IS_MOOF = 0x020000
_DEFAULT_DURATION = 0x08
_LONGEST_TICKS = 0xFFFFFFFF
_NO_FLAG = FragmentFlag(0)
_WITH_SOUND = {flag: flag | FragmentFlag.AUDIO for flag in (_NO_FLAG, FragmentFlag.KEY)}
# Heads of boxes in one piece each: this is done for every camera every second.
_HEADER = struct.Struct(">I4s")
_MOOF = struct.Struct(">I4sI4sII")  # with its mfhd
_PLAIN = struct.Struct(">I4sII")  # tfhd
_DEFAULTED = struct.Struct(">I4sIII")  # tfhd with a default duration
_TIMES = struct.Struct(">I4sIQI4sIIi")  # tfdt, and trun before its samples
_VIDEO_HEADER = _PLAIN.pack(16, b"tfhd", _BASE_IS_MOOF, VIDEO_TRACK)
_USUAL_PICTURE = TICKS_PER_SECOND // 25


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
        self, video: Sequence[AccessUnit], audio: Sequence[AccessUnit], next_pts: int | None = None
    ) -> Fragment:
        """The fragment of at least one picture and any audio; ``next_pts`` is the picture that follows."""
        self._sequence += 1
        times, reordered = self._decode_times(video)
        durations = self._durations(times, None if reordered else next_pts)
        self._next_video = times[-1] + 1
        sizes = [unit.size for unit in video]
        lengths = [sum(sizes)]
        tracks = [_video_run(video, times, durations, sizes, reordered)]
        parts = [b"", b""]
        parts.extend(chain.from_iterable([unit.parts for unit in video]))
        flags = FragmentFlag.KEY if video[0].key else _NO_FLAG
        if audio:
            heard = [unit.size for unit in audio]
            tracks.append(self._audio_run(audio, heard))
            lengths.append(sum(heard))
            parts.extend(chain.from_iterable([unit.parts for unit in audio]))
            flags = _WITH_SOUND[flags]
        payload = sum(lengths)
        parts[0] = _moof(self._sequence, tracks, lengths)
        parts[1] = _HEADER.pack(8 + payload, b"mdat")
        ticks = min(sum(durations), _LONGEST_TICKS)
        start = min([unit.pts for unit in video]) if reordered else times[0]
        return Fragment(parts, start, FragmentEntry(len(parts[0]) + 8 + payload, ticks, len(video), flags))

    def _decode_times(self, video: Sequence[AccessUnit]) -> tuple[list[int], bool]:
        shown = [unit.pts for unit in video]
        if self._delay == 0 and shown[0] >= self._next_video and all(map(lt, shown, shown[1:])):
            return shown, False
        ordered = sorted(shown)
        # Decode early enough that no picture is shown before it is decoded: players take a negative
        # composition offset as a shift of the whole track.
        self._delay = max(self._delay, *(time - pts for time, pts in zip(ordered, shown, strict=True)))
        times, low = [], self._next_video
        for value in ordered:
            low = max(value - self._delay, low)
            times.append(low)
            low += 1  # decode times must rise, also over equal or late presentation times
        return times, True

    def _durations(self, times: list[int], next_pts: int | None) -> list[int]:
        durations = list(map(sub, times[1:], times))
        if durations:
            self._usual = durations[-1]
        if next_pts is not None and next_pts > times[-1]:
            durations.append(next_pts - times[-1])
            self._usual = min(durations[-1], TICKS_PER_SECOND)
        else:
            durations.append(self._usual)
        return durations

    def _audio_run(self, audio: Sequence[AccessUnit], sizes: list[int]) -> _Run:
        start = max(audio[0].pts, self._next_audio)
        times = [unit.pts for unit in audio]
        durations = list(map(sub, times[1:], times))
        durations.append(audio[-1].duration)
        if min(durations) < 1:
            durations = [max(1, step) for step in durations]
        count, usual = len(sizes), durations[0]
        self._next_audio = start + sum(durations) - durations[-1] + 1
        if durations.count(usual) == count:
            header = _DEFAULTED.pack(20, b"tfhd", _BASE_IS_MOOF | _DEFAULT_DURATION, AUDIO_TRACK, usual)
            return _Run(header, start, 0, _SIZE, count, _numbers(count).pack(*sizes))
        fields = [0] * (2 * count)
        fields[::2], fields[1::2] = durations, sizes
        header = _PLAIN.pack(16, b"tfhd", _BASE_IS_MOOF, AUDIO_TRACK)
        return _Run(header, start, 0, _DURATION | _SIZE, count, _numbers(2 * count).pack(*fields))


@functools.lru_cache(256)
def _numbers(count: int) -> struct.Struct:
    return struct.Struct(f">{count}I")


@dataclass(slots=True)
class _Run:
    """One traf before its data offset is known."""

    header: bytes
    start: int
    version: int
    flags: int
    count: int
    body: bytes

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


def _video_run(
    video: Sequence[AccessUnit], times: list[int], durations: list[int], sizes: list[int], reordered: bool
) -> _Run:
    flags, width = _DURATION | _SIZE | _FLAGS, 3
    if reordered:
        flags, width = flags | _COMPOSITION, 4
    count = len(video)
    fields = [0] * (width * count)
    fields[::width] = durations
    fields[1::width] = sizes
    fields[2::width] = [_KEY_FLAGS if unit.key else _OTHER_FLAGS for unit in video]
    if reordered:
        fields[3::width] = [(unit.pts - at) & 0xFFFFFFFF for unit, at in zip(video, times, strict=True)]
    # Version 1: composition offsets are signed.
    return _Run(_VIDEO_HEADER, times[0], 1, flags, count, _numbers(width * count).pack(*fields))


def _moof(sequence: int, runs: list[_Run], lengths: list[int]) -> bytes:
    size = _MOOF.size
    for run in runs:
        size += run.box_size
    boxes, offset = [_MOOF.pack(size, b"moof", 16, b"mfhd", 0, sequence)], size + 8
    for run, length in zip(runs, lengths, strict=True):
        boxes += run.box(offset)
        offset += length
    return b"".join(boxes)
