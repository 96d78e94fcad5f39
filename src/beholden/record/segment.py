"""One stream's access units become fragments and files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, Protocol

from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.segment import SegmentKey
from beholden.model.time import TICKS_PER_SECOND, ticks_to_ms
from beholden.record.disk import (
    Backlog,
    DiskTrouble,
    DiskWriter,
    FileOwner,
    QueuedFragment,
    SegmentFile,
    too_slow,
)
from beholden.record.fmp4 import FragmentWriter, Mp4Error, build_init, read_units

# What a crash costs at most; with the tick that reads it and the write, a second at the very worst.
FRAGMENT_TICKS: Final = TICKS_PER_SECOND * 2 // 3
SEGMENT_TICKS: Final = 60 * TICKS_PER_SECOND
_SHORTEST_GOP_TICKS: Final = TICKS_PER_SECOND // 2
# A fragment closes on size too, so that no stream, however odd, can hold much memory.
_FRAGMENT_BYTES: Final = 8 * 1024 * 1024
# What a unit costs besides its bytes; so tiny ones are limited too, far below what an index entry can count.
_UNIT_BYTES: Final = 256
_STREAM_BYTES: Final = 64 * 1024 * 1024  # of one stream in memory, when nothing smaller is set
_AUDIO_UNITS: Final = 20_000
_RETRY_MS: Final = 5000
_SOUND: Final = Track.AUDIO  # looked up for every unit


class WriterOwner(FileOwner, Protocol):
    """Who is told of a stream's files. These two are called in the ingest thread."""

    def file_begins(self, kept_tick: int, start_tick: int, silent_ms: int) -> bool:
        """A keyframe with which a file begins is there; kept footage ended at ``kept_tick`` (0: none), and
        no picture came for ``silent_ms``. Returns whether a gap may lie between."""
        ...

    def disk_troubled(self, trouble: DiskTrouble, end_tick: int, landed: bool) -> None:
        """Footage stops at ``end_tick``. ``landed`` is False when nothing of the file can reach the disk."""
        ...


class SegmentWriter:
    """The files of one recorded stream. Never blocks; all calls come from the ingest thread.

    Its media in memory, the open fragment and what waits for the disk, stays within ``limit_bytes``.

    After trouble with the disk it tries again by itself at the next keyframe, at most every five seconds.
    """

    def __init__(
        self,
        camera: int,
        stream: StreamRole,
        disk: DiskWriter,
        owner: WriterOwner,
        limit_bytes: int = _STREAM_BYTES,
    ) -> None:
        self._camera = camera
        self._stream = stream
        self._disk = disk
        self._owner = owner
        self._backlog = Backlog()
        self.limit_bytes = limit_bytes
        self._format: StreamFormat | None = None
        self._file: SegmentFile | None = None
        self._writer = FragmentWriter()
        self._file_start = 0
        self._kept_before = 0  # the end of what was kept when the file began
        self._video: list[AccessUnit] = []
        self._audio: list[AccessUnit] = []
        self._highest_pts = 0
        self._due_pts = 0  # from this time on the open fragment is to be cut; 0: none is open
        self._key_pts = 0  # of the newest keyframe
        self._gop_ticks = 0  # between the newest two
        self._bytes = 0
        self._most_bytes = _FRAGMENT_BYTES
        self._handed = False  # whether a fragment of this file went to the disk
        self._gop: list[QueuedFragment] = []
        self._retry_after_ms = 0
        self.seen_ms = 0  # when the newest picture came
        self.kept_tick = 0  # the end of the newest fragment handed to the disk; 0 before the first
        self.trouble: DiskTrouble | None = None

    @property
    def recording(self) -> bool:
        """Whether what comes now is kept."""
        return self._file is not None and self._file.failed is None

    @property
    def open_bytes(self) -> int:
        """Bytes of the open fragment."""
        return self._bytes

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the disk."""
        return self._backlog.bytes

    @property
    def last_fragment_ms(self) -> int:
        """When the last picture of the newest fragment on the disk came, epoch ms; 0 before the first."""
        return self._backlog.written_ms

    @property
    def due_ms(self) -> int:
        """When the open fragment is to be cut, epoch ms: by its length, or by a keyframe if they come as
        regularly as the last two; 0 while none is kept."""
        if not self.recording:
            return 0
        key_pts = self._key_pts + self._gop_ticks
        is_ahead = self._gop_ticks >= _SHORTEST_GOP_TICKS and key_pts > self._highest_pts
        return ticks_to_ms(min(self._due_pts, key_pts) if is_ahead else self._due_pts)

    def set_format(self, stream_format: StreamFormat) -> None:
        """The tracks; a change ends the file."""
        if stream_format != self._format:
            self.end_file()
            self._format = stream_format

    def add(self, unit: AccessUnit) -> None:
        """One unit, in decode order."""
        if unit.track is _SOUND:
            if self._file is not None and len(self._audio) < _AUDIO_UNITS:
                self._audio.append(unit)
                self._bytes += unit.size + _UNIT_BYTES
            return
        pts, file = unit.pts, self._file
        plain = not unit.key and pts < self._due_pts and self._bytes < self._most_bytes
        kept = (plain and file is not None and file.failed is None) or self._turn(unit)
        self.seen_ms = unit.arrival_ms
        if not kept:
            return
        self._video.append(unit)
        self._bytes += unit.size + _UNIT_BYTES
        if pts > self._highest_pts:  # noqa: PLR1730 - max() costs three times as much, for every picture
            self._highest_pts = pts

    def flush(self, next_pts: int | None = None) -> None:
        """Hand the open fragment to the disk though nothing is to follow it in this file (the camera has
        paused, or the picture at ``next_pts`` goes elsewhere)."""
        if self._video:
            self._close_fragment(next_pts)

    def end_file(self) -> int:
        """Finish the file, if there is one; the tick at which kept footage ends (0: none yet)."""
        if self._file is not None:
            self.flush()
        if self._file is not None:
            self._disk.close_file(self._file)
            self._forget_file()
        return self.kept_tick

    def replay(self) -> Iterator[AccessUnit]:
        """Units from the newest keyframe on: of fragments on disk, in the queue, and the open one.

        Nothing when the disk cannot give them back; a viewer then waits for the next keyframe.
        """
        units: list[AccessUnit] = []
        file = self._file
        if file is None:
            return iter(())
        opens_with_key = bool(self._video) and self._video[0].key
        for queued in [] if opens_with_key else self._gop:
            waiting = queued.units
            if waiting is None:
                try:
                    waiting = self._read_back(file, queued)
                except (OSError, Mp4Error):
                    return iter(())
            units += waiting
        return iter([*units, *self._video, *self._audio])

    def _turn(self, unit: AccessUnit) -> bool:
        """End what ends before a picture, begin what begins with it; whether the picture is kept."""
        file = self._file
        if file is not None and file.failed is not None:
            self._give_up(file.failed, file)
        if self._video and self._is_cut(unit):
            self._close_fragment(unit.pts)
        if unit.key:
            self._key_pts, self._gop_ticks = unit.pts, unit.pts - self._key_pts
            if self._is_rotation(unit):
                self.end_file()
                self._begin_file(unit)
        if self._file is None:
            return False
        if not self._video:
            self._highest_pts = unit.pts
            self._due_pts = unit.pts + FRAGMENT_TICKS
            self._most_bytes = min(_FRAGMENT_BYTES, self.limit_bytes // 4)
        return True

    def _is_cut(self, unit: AccessUnit) -> bool:
        if self._bytes >= self._most_bytes:
            return True
        if unit.pts <= self._highest_pts and not unit.key:
            return False  # it is shown among those before it: they belong together
        # Where every picture is a keyframe, a fragment each would be far too many.
        first = self._video[0]
        every = unit.key and first.key and unit.pts - first.pts < _SHORTEST_GOP_TICKS
        return unit.pts >= self._due_pts or (unit.key and not every)

    def _is_rotation(self, unit: AccessUnit) -> bool:
        if self._file is None:
            # After a slow disk, go on when half the memory is free again, not at the first free byte.
            room = self._backlog.bytes <= self.limit_bytes // 2
            room = room and self._disk.has_room(self._disk.limit_bytes // 2)
            return room and unit.arrival_ms >= self._retry_after_ms
        return unit.pts - self._file_start >= SEGMENT_TICKS

    def _begin_file(self, unit: AccessUnit) -> None:
        if self._format is None:
            return
        silent_ms = unit.arrival_ms - self.seen_ms
        after_gap = self._owner.file_begins(self.kept_tick, unit.pts, silent_ms)
        key = SegmentKey(self._camera, self._stream, ticks_to_ms(unit.pts))
        self._file = SegmentFile(
            key, self._format, build_init(self._format), self._owner, after_gap, self._backlog
        )
        self._file_start = unit.pts
        self._kept_before = self.kept_tick
        self._handed = False
        self._writer = FragmentWriter()

    def _close_fragment(self, next_pts: int | None) -> None:
        file, video, audio = self._file, self._video, self._audio
        self._video, self._audio, self._bytes, self._due_pts = [], [], 0, 0
        if file is None:
            return
        if file.failed is not None:
            self._give_up(file.failed, file)
            return
        fragment = self._writer.fragment(video, audio, next_pts)
        room = self._backlog.bytes + fragment.entry.size <= self.limit_bytes
        if not room or not self._disk.has_room(fragment.entry.size):
            self._give_up(too_slow(), file)
            return
        came_ms = min(video[-1].arrival_ms, ticks_to_ms(self._highest_pts))  # it may have been read later
        queued = QueuedFragment(fragment, video + audio, came_ms)
        if video[0].key:
            self._gop.clear()
        self._gop.append(queued)
        self._disk.write(file, queued)
        self._handed = True
        self.kept_tick = fragment.start + fragment.entry.ticks
        self.trouble = None

    def _give_up(self, trouble: DiskTrouble, file: SegmentFile) -> None:
        file.reported = True
        self._disk.close_file(file)
        self._forget_file()
        self.trouble = trouble
        landed = self._handed if file.failed is None else file.begun
        if file.failed is not None:
            # Fragments queued behind the failed one are lost too: kept footage ends with the last written.
            self.kept_tick = file.end_tick if file.entries else self._kept_before
            self._retry_after_ms = self.seen_ms + _RETRY_MS
        self._owner.disk_troubled(trouble, self.kept_tick or self._file_start, landed)

    def _forget_file(self) -> None:
        self._file = None
        self._gop = []
        self._video, self._audio, self._bytes, self._due_pts = [], [], 0, 0

    def _read_back(self, file: SegmentFile, queued: QueuedFragment) -> list[AccessUnit]:
        if queued.offset < 0:
            raise Mp4Error("the fragment was not written")
        fd = self._disk.store.open_read(file.key)
        try:
            return read_units(os.pread(fd, queued.fragment.entry.size, queued.offset))
        finally:
            os.close(fd)
