"""The head of an ordinary MP4: a movie box with tables of every sample (ISO/IEC 14496-12, 8.3 to 8.7).

Players, editors and browsers read nothing as well as this: they know length and place of everything before
they ask for a picture. Times are in ticks of 90 kHz for the movie and in the track's own for its media.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from beholden.model.time import TICKS_PER_SECOND
from beholden.play.tracks import TrackDescription, media_box, movie_header, track_header
from beholden.record.fmp4 import SampleRun
from beholden.record.fmp4.boxes import box, full_box

_NOT_SYNC = 0x10000
_SELF_CONTAINED = "mp4v"  # every JPEG says its own size: one description serves all
_SMALL_FILE = 1 << 32


class Edit(NamedTuple):
    """What is shown: ``ticks`` of the movie from ``media_time`` of the track on; -1 shows nothing."""

    ticks: int
    media_time: int


class TrackTable:
    """The samples of one track as they are gathered, in decode order.

    Places are counted from the first byte of media. Decode times must rise: whoever adds sees to that.
    """

    def __init__(self, number: int, track: TrackDescription) -> None:
        self.number = number
        self.track = track
        self.entries: list[bytes] = []
        self._starts: array[int] = array("q")
        self._sizes: array[int] = array("I")
        self._compositions: array[int] = array("i")
        self._keys: array[int] = array("I")  # numbers from 1
        self._chunks: list[tuple[int, int, int]] = []  # place, samples, entry from 1
        self._last_duration = 0

    @property
    def count(self) -> int:
        """How many samples there are."""
        return len(self._sizes)

    @property
    def begin(self) -> int:
        """The first sample's decode time; only with at least one."""
        return self._starts[0]

    @property
    def newest(self) -> int:
        """The last sample's decode time; only with at least one."""
        return self._starts[-1]

    @property
    def end(self) -> int:
        """Where the last sample ends; only with at least one."""
        return self._starts[-1] + self._last_duration

    def add(self, run: SampleRun, entry: bytes, shift: int, first: int, count: int, place: int) -> None:
        """``count`` samples (at least one) of a run from number ``first`` on, moved by ``shift``; they lie
        at ``place``."""
        if self.track.coding == _SELF_CONTAINED and self.entries:
            entry = self.entries[0]
        if entry not in self.entries:
            self.entries.append(entry)
        end = first + count
        begin = run.start + sum(run.durations[:first]) + shift
        self._starts.extend(accumulate(run.durations[first : end - 1], initial=begin))
        self._chunks.append((place, count, self.entries.index(entry) + 1))
        before = len(self._sizes) + 1 - first
        keys = (before + at for at in range(first, end) if not run.flags[at] & _NOT_SYNC)
        self._keys.extend(keys)
        self._sizes.extend(run.sizes[first:end])
        self._compositions.extend(run.compositions[first:end] or bytes(count))
        self._last_duration = max(1, run.durations[end - 1])

    def box(self, edits: Sequence[Edit], base: int) -> bytes:
        """The track's box for media that begins at byte ``base`` of the file."""
        duration = sum(edit.ticks for edit in edits)
        listed = b"".join(struct.pack(">QqHH", edit.ticks, edit.media_time, 1, 0) for edit in edits)
        edit_list = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), listed))
        header = track_header(self.track, self.number, duration)
        media = media_box(self.track, self._sample_table(base), self.end - self.begin)
        return box(b"trak", header, edit_list, media)

    def _sample_table(self, base: int) -> bytes:
        starts = np.append(np.frombuffer(self._starts, np.int64), self.end)
        compositions = np.frombuffer(self._compositions, np.int32)
        boxes = [
            full_box(b"stsd", 0, 0, struct.pack(">I", len(self.entries)), *self.entries),
            full_box(b"stts", 0, 0, *_runs(np.diff(starts))),
        ]
        if compositions.any():
            boxes.append(full_box(b"ctts", 1, 0, *_runs(compositions)))
        if len(self._keys) < self.count:
            boxes.append(full_box(b"stss", 0, 0, *_counted(np.frombuffer(self._keys, np.uint32), ">u4")))
        places = np.array([chunk[0] for chunk in self._chunks], np.int64) + base
        wide = bool(places[-1] >= _SMALL_FILE)
        sizes = _counted(np.frombuffer(self._sizes, np.uint32), ">u4")
        boxes += [
            full_box(b"stsc", 0, 0, *self._chunk_runs()),
            full_box(b"stsz", 0, 0, bytes(4), *sizes),
            full_box(b"co64" if wide else b"stco", 0, 0, *_counted(places, ">i8" if wide else ">u4")),
        ]
        return box(b"stbl", *boxes)

    def _chunk_runs(self) -> tuple[bytes, bytes]:
        runs = [
            (number, samples, entry)
            for number, (_, samples, entry) in enumerate(self._chunks, 1)
            if number == 1 or (samples, entry) != self._chunks[number - 2][1:]
        ]
        return struct.pack(">I", len(runs)), b"".join(struct.pack(">III", *run) for run in runs)


def movie_box(tables: Sequence[TrackTable], edits: Sequence[Sequence[Edit]], base: int) -> bytes:
    """The movie box of tracks and what is shown of each, for media that begins at byte ``base``."""
    duration = max(sum(edit.ticks for edit in some) for some in edits)
    header = movie_header(TICKS_PER_SECOND, duration, max(table.number for table in tables) + 1)
    return box(b"moov", header, *(table.box(some, base) for table, some in zip(tables, edits, strict=True)))


def _runs(values: npt.NDArray[np.signedinteger]) -> tuple[bytes, bytes]:
    """(count of runs, each as its length and value): what stts and ctts hold."""
    edges = np.flatnonzero(np.diff(values)) + 1
    firsts = np.concatenate(([0], edges))
    lengths = np.diff(np.append(firsts, len(values)))
    pairs = np.stack((lengths, values[firsts]), axis=1)
    return struct.pack(">I", len(pairs)), pairs.astype(">i4").tobytes()


def _counted(values: npt.NDArray[np.generic], layout: str) -> tuple[bytes, bytes]:
    return struct.pack(">I", len(values)), values.astype(layout).tobytes()
