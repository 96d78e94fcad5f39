"""Recorded files as playback sees them: closed ones from the catalog, open ones from their boxes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from beholden.catalog import Catalog, segments
from beholden.catalog.segments import JOIN_MS, MediaFormat
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.segment import FragmentEntry, FragmentFlag, SegmentKey, unpack_fragments
from beholden.model.time import TICKS_PER_MS, ms_to_ticks, ticks_to_ms
from beholden.record import fmp4
from beholden.record.fmp4 import Mp4Error

_WALKS_KEPT = 256
_JOIN_TICKS = JOIN_MS * TICKS_PER_MS
_CLOCK_SLACK_MS = 2000  # a file may begin a little before the one before it ends


class FootageStore(Protocol):
    """What playback needs of a volume."""

    def path_of(self, key: SegmentKey) -> Path:
        """Where a segment's file is."""
        ...

    def open_segments(self, camera: int, stream: StreamRole, after_ms: int) -> list[SegmentKey]:
        """Files that begin at or after an instant, in order."""
        ...


class Gop(NamedTuple):
    """A keyframe and what depends on it, in one file.

    ``first`` is the number of its first fragment, ``fragments`` how many it has; ``offset`` and ``size`` are
    bytes in the file; ``time`` is its first tick (90 kHz since the Unix epoch), ``ticks`` its length.
    """

    first: int
    fragments: int
    offset: int
    size: int
    time: int
    ticks: int
    pictures: int

    @property
    def end(self) -> int:
        """The tick at which it ends."""
        return self.time + self.ticks


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded file. ``growing`` files are still written (or were not yet indexed)."""

    key: SegmentKey
    path: Path
    time: int
    media: MediaFormat
    fragments: tuple[FragmentEntry, ...]
    growing: bool

    @property
    def end(self) -> int:
        """The tick at which what is whole in it ends."""
        return self.time + sum(entry.ticks for entry in self.fragments)

    @property
    def name(self) -> str:
        """``1795472104250-0``, unique within camera and stream."""
        return f"{self.key.start_ms}-{self.key.epoch}"

    def gops(self, *, whole: bool = True) -> list[Gop]:
        """GOPs in order. The last of a growing file may still grow and is left out, unless not ``whole``."""
        found: list[Gop] = []
        offset, time = len(self.media.init), self.time
        for number, entry in enumerate(self.fragments):
            if entry.flags & FragmentFlag.KEY or not found:
                found.append(Gop(number, 1, offset, entry.size, time, entry.ticks, entry.pictures))
            else:
                last = found[-1]
                found[-1] = last._replace(
                    fragments=last.fragments + 1,
                    size=last.size + entry.size,
                    ticks=last.ticks + entry.ticks,
                    pictures=last.pictures + entry.pictures,
                )
            offset += entry.size
            time += entry.ticks
        return found[:-1] if self.growing and whole else found

    def fragments_between(self, first: int, count: int) -> tuple[int, int]:
        """(offset, size) of ``count`` fragments from number ``first`` on; BeholdenError when it has fewer."""
        if first < 0 or count < 1 or first + count > len(self.fragments):
            raise BeholdenError("not_recorded", "There is no such piece of this recording.", "Load it again.")
        offset = len(self.media.init) + sum(entry.size for entry in self.fragments[:first])
        return offset, sum(entry.size for entry in self.fragments[first : first + count])


class Cut(NamedTuple):
    """A GOP of a file. ``fresh``: footage is missing before it, or it is the first."""

    recording: Recording
    gop: Gop
    fresh: bool


def cut(recordings: Iterable[Recording], start_ms: int, end_ms: int) -> Iterator[Cut]:
    """The GOPs that overlap [start_ms, end_ms) in order, each instant once though two files may hold it."""
    start, end = ms_to_ticks(start_ms), ms_to_ticks(end_ms)
    reached: int | None = None
    for recording in recordings:
        for gop in recording.gops():
            if gop.end <= start or gop.time >= end:
                continue
            if reached is not None and gop.time < reached - _JOIN_TICKS:
                continue  # another recorder's copy of the same instant
            yield Cut(recording, gop, reached is None or gop.time > reached + _JOIN_TICKS)
            reached = gop.end


class Footage:
    """Finds recorded files. Blocks for the catalog and the disk: call it in a thread."""

    def __init__(self, catalog: Catalog, volumes: Mapping[int, FootageStore]) -> None:
        self._catalog = catalog
        self._volumes = volumes
        self._walks: OrderedDict[SegmentKey, tuple[int, Recording]] = OrderedDict()
        self._lock = threading.Lock()

    def between(self, camera: int, stream: StreamRole, start_ms: int, end_ms: int) -> list[Recording]:
        """Files that overlap [start_ms, end_ms), in order, the ones being written included."""
        with self._catalog.read() as conn:
            rows = segments.between(conn, camera, stream, start_ms, end_ms)
            formats = segments.formats(conn, {row.format for row in rows})
            growing = self.growing(conn, camera, stream)
        found = [self._closed(row, formats[row.format]) for row in rows if self._is_readable(row)]
        found += [
            recording
            for recording in growing
            if ticks_to_ms(recording.end) > start_ms and recording.key.start_ms < end_ms
        ]
        return sorted(found, key=lambda recording: recording.key)

    def growing(self, conn: Connection, camera: int, stream: StreamRole) -> list[Recording]:
        """Files that are not in the catalog (yet), as far as they are whole."""
        indexed = segments.newest_end(conn, camera, stream) or 0
        listed: dict[SegmentKey, FootageStore] = {}
        for volume in self._volumes.values():
            for key in volume.open_segments(camera, stream, max(0, indexed - _CLOCK_SLACK_MS)):
                listed[key] = volume
        unknown = [key for key in sorted(listed) if not segments.exists(conn, key)]
        walked = (self._walk(key, listed[key].path_of(key)) for key in unknown)
        return [recording for recording in walked if recording is not None and recording.fragments]

    def get(self, key: SegmentKey) -> Recording:
        """One file; BeholdenError ``not_recorded`` when there is none of that name."""
        with self._catalog.read() as conn:
            row = segments.get(conn, key)
            formats = segments.formats(conn, [row.format]) if row else {}
        if row is not None and row.leaves:
            raise not_recorded()
        if row is not None and self._is_readable(row):
            return self._closed(row, formats[row.format])
        for volume in self._volumes.values():
            recording = self._walk(key, volume.path_of(key))
            if recording is not None:
                return recording
        raise not_recorded()

    def _is_readable(self, row: segments.Segment) -> bool:
        return row.volume in self._volumes and not row.leaves

    def _closed(self, row: segments.Segment, media: MediaFormat) -> Recording:
        path = self._volumes[row.volume].path_of(row.key)
        fragments = tuple(unpack_fragments(row.fragments))
        return Recording(row.key, path, row.key.start_ms * TICKS_PER_MS, media, fragments, growing=False)

    def _walk(self, key: SegmentKey, path: Path) -> Recording | None:
        try:
            size = path.stat().st_size
            with self._lock:
                known = self._walks.get(key)
            if known is not None and known[0] == size:
                return known[1]
            recording = _read_layout(key, path)
        except (OSError, Mp4Error):
            return None  # gone, or not begun: there is nothing to show of it
        with self._lock:
            self._walks[key] = (size, recording)
            while len(self._walks) > _WALKS_KEPT:
                self._walks.popitem(last=False)
        return recording


def not_recorded() -> BeholdenError:
    """Nothing is recorded there."""
    return BeholdenError(
        "not_recorded",
        "There is no recording of that moment.",
        "Choose a moment the timeline shows as recorded.",
    )


def media_of(init: bytes) -> MediaFormat:
    """What an init segment says; Mp4Error when it is not one of ours."""
    stream = fmp4.parse_init(init)
    audio = stream.audio
    return MediaFormat(
        0,
        init,
        stream.video.codec,
        stream.video.codec_string,
        stream.video.width,
        stream.video.height,
        audio.codec if audio else None,
        audio.codec_string if audio else None,
        audio.rate if audio else None,
    )


def read_bytes(path: Path, offset: int, size: int) -> bytes:
    """``size`` bytes of a file; BeholdenError ``not_recorded`` when it is gone or shorter."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise not_recorded() from error
    try:
        data = os.pread(fd, size, offset)
    finally:
        os.close(fd)
    if len(data) != size:
        raise not_recorded()
    return data


def _read_layout(key: SegmentKey, path: Path) -> Recording:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        layout = fmp4.walk(fd)
    finally:
        os.close(fd)
    start = layout.fragments[0].start if layout.fragments else key.start_ms * TICKS_PER_MS
    entries = tuple(fragment.entry for fragment in layout.fragments)
    return Recording(key, path, start, media_of(layout.init), entries, growing=True)
