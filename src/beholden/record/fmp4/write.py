"""Fragments: one moof and one mdat, ready for one write."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from beholden.model.media import AccessUnit
from beholden.model.segment import FragmentEntry, FragmentFlag
from beholden.model.time import TICKS_PER_SECOND
from beholden.record.fmp4.boxes import AUDIO_TRACK, VIDEO_TRACK, box, full_box

_KEY_FLAGS = 0x02000000  # depends on no other picture
_OTHER_FLAGS = 0x01010000  # depends on others, not a sync sample
_DATA_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x100, 0x200, 0x400, 0x800
_BASE_IS_MOOF = 0x020000
_DEFAULT_DURATION = 0x08
_LONGEST_TICKS = 0xFFFFFFFF
_USUAL_PICTURE = TICKS_PER_SECOND // 25


@dataclass(frozen=True, slots=True)
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
        video_bytes = sum(unit.size for unit in video)
        tracks = [_video_run(video, times, durations, reordered)]
        if audio:
            tracks.append(self._audio_run(audio))
        moof = _moof(self._sequence, tracks, (video_bytes,))
        payload = video_bytes + sum(unit.size for unit in audio)
        parts = [moof, struct.pack(">I4s", 8 + payload, b"mdat")]
        parts.extend(chain.from_iterable(unit.parts for unit in video))
        parts.extend(chain.from_iterable(unit.parts for unit in audio))
        flags = (FragmentFlag.KEY if video[0].key else FragmentFlag(0)) | (
            FragmentFlag.AUDIO if audio else FragmentFlag(0)
        )
        size = len(moof) + 8 + payload
        ticks = min(sum(durations), _LONGEST_TICKS)
        return Fragment(parts, min(unit.pts for unit in video), FragmentEntry(size, ticks, len(video), flags))

    def _decode_times(self, video: Sequence[AccessUnit]) -> tuple[list[int], bool]:
        shown = [unit.pts for unit in video]
        if self._delay == 0 and shown[0] >= self._next_video and all(a < b for a, b in pairwise(shown)):
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
        durations = [b - a for a, b in pairwise(times)]
        if durations:
            self._usual = durations[-1]
        if next_pts is not None and next_pts > times[-1]:
            durations.append(next_pts - times[-1])
            self._usual = min(durations[-1], TICKS_PER_SECOND)
        else:
            durations.append(self._usual)
        return durations

    def _audio_run(self, audio: Sequence[AccessUnit]) -> _Run:
        start = max(audio[0].pts, self._next_audio)
        durations = [max(1, b.pts - a.pts) for a, b in pairwise(audio)]
        durations.append(max(1, audio[-1].duration))
        self._next_audio = start + sum(durations[:-1]) + 1
        sizes = [unit.size for unit in audio]
        if all(value == durations[0] for value in durations):
            body = struct.pack(f">{len(sizes)}I", *sizes)
            header = full_box(
                b"tfhd", 0, _BASE_IS_MOOF | _DEFAULT_DURATION, struct.pack(">II", AUDIO_TRACK, durations[0])
            )
            return _Run(header, start, 0, _SIZE, len(sizes), body)
        fields = chain.from_iterable(zip(durations, sizes, strict=True))
        body = struct.pack(f">{2 * len(sizes)}I", *fields)
        header = full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", AUDIO_TRACK))
        return _Run(header, start, 0, _DURATION | _SIZE, len(sizes), body)


@dataclass(frozen=True, slots=True)
class _Run:
    """One traf before its data offset is known."""

    header: bytes
    start: int
    version: int
    flags: int
    count: int
    body: bytes

    def box(self, offset: int) -> bytes:
        """The traf, its samples at ``offset`` from the start of the moof."""
        decode_time = full_box(b"tfdt", 1, 0, struct.pack(">Q", self.start))
        run = full_box(
            b"trun",
            self.version,
            self.flags | _DATA_OFFSET,
            struct.pack(">Ii", self.count, offset),
            self.body,
        )
        return box(b"traf", self.header, decode_time, run)

    @property
    def box_size(self) -> int:
        """Bytes of ``box``."""
        return 8 + len(self.header) + 20 + 20 + len(self.body)


def _video_run(video: Sequence[AccessUnit], times: list[int], durations: list[int], reordered: bool) -> _Run:
    flags = _DURATION | _SIZE | _FLAGS
    fields: list[int] = []
    for index, unit in enumerate(video):
        fields += (durations[index], unit.size, _KEY_FLAGS if unit.key else _OTHER_FLAGS)
        if reordered:
            fields.append((unit.pts - times[index]) & 0xFFFFFFFF)
    if reordered:
        flags |= _COMPOSITION
    header = full_box(b"tfhd", 0, _BASE_IS_MOOF, struct.pack(">I", VIDEO_TRACK))
    # Version 1: composition offsets are signed.
    return _Run(header, times[0], 1, flags, len(video), struct.pack(f">{len(fields)}I", *fields))


def _moof(sequence: int, runs: list[_Run], before: tuple[int, ...]) -> bytes:
    header = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))
    size = 8 + len(header) + sum(run.box_size for run in runs)
    offsets = [size + 8]
    for length in before:
        offsets.append(offsets[-1] + length)
    return box(b"moof", header, *(run.box(offset) for run, offset in zip(runs, offsets, strict=False)))
