"""A stretch of footage as one MP4: an ordinary file with a full index, nothing re-encoded, never built.

The head is made from the recorded fragments' own tables; what follows it is the recorded pictures and sound,
read from the recorded files when somebody asks for those bytes. So the size and every byte's place are known
beforehand, and any part can be had at once. An edit list shows exactly [start, end), from the picture on the
screen at the start on: before it lies only what decoding that picture needs. Where footage is missing, or a
fragment is damaged, the next GOP begins at once: the gap is closed up, and counted.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import NamedTuple, cast

from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import VIDEO_NAMES, VideoCodec
from beholden.model.time import TICKS_PER_SECOND, ms_to_ticks, ticks_to_ms, to_rfc3339
from beholden.play.footage import Cut, Footage, Recording, cut, not_recorded, read_bytes
from beholden.play.leave import Leave
from beholden.play.moov import Edit, TrackTable, movie_box
from beholden.play.tracks import TrackDescription, parse_init
from beholden.record.fmp4 import Mp4Error, SampleRun, sample_runs
from beholden.record.fmp4.boxes import VIDEO_TRACK, box

LONGEST_MS = 24 * 3_600_000
PIECE_BYTES = 1 << 20
_USUAL_MOOF = 4096
_LARGEST_SMALL_BOX = (1 << 32) - 1


class Extent(NamedTuple):
    """Bytes of a recorded file."""

    recording: Recording
    offset: int
    size: int


class Part(NamedTuple):
    """A stretch of time whose pictures are of one kind, which one file can hold."""

    start_ms: int
    end_ms: int
    codec: str


@dataclass(frozen=True, slots=True)
class SpanFile:
    """A file that exists only as a plan. ``start_ms`` and ``end_ms`` are what it shows (from
    the picture on the screen at the start on), ``first_ms`` is its
    first picture's time (a keyframe at or before the start), ``gaps`` how many holes were closed up."""

    footage: Footage
    camera: int
    start_ms: int
    end_ms: int
    first_ms: int
    duration_ms: int
    gaps: int
    head: bytes
    extents: list[Extent]
    ends: list[int]  # of each extent, counted from the file's first byte
    etag: str

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.ends[-1]

    @property
    def growing(self) -> bool:
        """Whether a recording in it is still being written."""
        return self.extents[-1].recording.growing

    def read(self, leave: Leave, at: int, count: int) -> bytes:
        """``count`` bytes from ``at`` on, fewer at the end. Blocks for the disk.

        BeholdenError ``not_recorded`` when a recording has been deleted since.
        """
        leave.require(self.camera, Action.DOWNLOAD, Action.PLAYBACK)
        pieces = [self.head[at : at + count]]
        at += len(pieces[0])
        count -= len(pieces[0])
        index = bisect.bisect_right(self.ends, at)
        while count > 0 and index < len(self.extents):
            extent = self.extents[index]
            skip = at - (self.ends[index] - extent.size)
            piece = self._bytes(extent.recording, extent.offset + skip, min(count, extent.size - skip))
            pieces.append(piece)
            at += len(piece)
            count -= len(piece)
            index += 1
        return b"".join(pieces)

    def pieces(self, leave: Leave, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` to ``end``, a mebibyte at a time."""
        stop = self.size if end is None else end
        for at in range(start, stop, PIECE_BYTES):
            yield self.read(leave, at, min(PIECE_BYTES, stop - at))

    def _bytes(self, recording: Recording, offset: int, size: int) -> bytes:
        try:
            return read_bytes(recording.path, offset, size)
        except BeholdenError:
            # It may have moved to another volume since.
            return read_bytes(self.footage.get(recording.key).path, offset, size)


def plan_span(footage: Footage, camera: int, start_ms: int, end_ms: int) -> SpanFile:
    """What [start_ms, end_ms) of a camera's main stream becomes as a file.

    Blocks for catalog and disk: it reads the head of every fragment, no pictures. BeholdenError
    ``bad_range``, ``not_recorded``, or ``format_changed`` when the camera's pictures changed to another kind
    in between.
    """
    cuts = _cuts(footage, camera, start_ms, end_ms)
    kinds = _parts(cuts, start_ms, end_ms)
    if len(kinds) > 1:
        raise _format_changed(kinds)
    plan = _Plan(ms_to_ticks(start_ms), ms_to_ticks(end_ms))
    with ExitStack() as files:
        opened: dict[Path, int] = {}
        for item in cuts:
            plan.take(item, _open(item.recording.path, opened, files))
    return plan.file(footage, camera)


def span_parts(footage: Footage, camera: int, start_ms: int, end_ms: int) -> list[Part]:
    """The parts of [start_ms, end_ms) that one file each can hold; BeholdenError as ``plan_span``."""
    return _parts(_cuts(footage, camera, start_ms, end_ms), start_ms, end_ms)


def _cuts(footage: Footage, camera: int, start_ms: int, end_ms: int) -> list[Cut]:
    if not start_ms < end_ms <= start_ms + LONGEST_MS:
        raise BeholdenError(
            "bad_range", "A file covers more than nothing and at most a day.", "Ask for a shorter time."
        )
    cuts = list(cut(footage.between(camera, StreamRole.MAIN, start_ms, end_ms), start_ms, end_ms))
    if not cuts:
        raise not_recorded()
    return cuts


def _parts(cuts: Sequence[Cut], start_ms: int, end_ms: int) -> list[Part]:
    parts: list[Part] = []
    for item in cuts:
        codec, at_ms = item.recording.media.video_codec, ticks_to_ms(item.gop.time)
        if not parts:
            parts.append(Part(start_ms, end_ms, codec))
        elif codec != parts[-1].codec:
            parts[-1] = parts[-1]._replace(end_ms=at_ms)
            parts.append(Part(at_ms, end_ms, codec))
    return parts


class _Plan:
    """Gathers tables and bytes fragment by fragment. Times of the file are in 90 kHz ticks from a first
    picture at 0 on; of a track, in its own ticks on the same axis."""

    def __init__(self, start: int, end: int) -> None:
        self._start = start  # on the wall clock
        self._end = end
        self._tables: dict[tuple[str, str, int], TrackTable] = {}
        self._extents: list[Extent] = []
        self._place = 0
        self._shift: int | None = None  # from wall clock to file; None before the first fragment
        self._first = 0
        self._reached = 0  # end of the newest picture in the file
        self._shown: tuple[int, int] | None = None  # what the edit list shows, on the file's axis
        self._began = 0  # the first picture shown, on the wall clock
        self._stretches = 0
        self._stretch_at = 0
        self._broken = False  # footage is missing before what comes next
        self._heard_in: dict[int, int] = {}  # table number to the newest stretch with its sound
        self._tracks: dict[bytes, list[TrackDescription]] = {}

    def take(self, item: Cut, fd: int) -> None:
        """One GOP of an open file."""
        recording, gop, fresh = item
        tracks = self._tracks_of(recording.media.init)
        offset = gop.offset
        self._broken = self._broken or fresh
        for number in range(gop.first, gop.first + gop.fragments):
            size = recording.fragments[number].size
            runs = _read_runs(fd, offset, size)
            video = next((run for run in runs if run.track == VIDEO_TRACK and run.sizes), None)
            if video is None:
                self._broken = True  # damaged: what depends on it is left out too
                return
            if self._broken or self._shift is None:
                self._begin_stretch(video.earliest())
            self._fragment(recording, offset, runs, video, tracks)
            offset += size

    def file(self, footage: Footage, camera: int) -> SpanFile:
        """The plan of all that was taken; BeholdenError ``not_recorded`` when nothing was."""
        tables = [table for table in self._tables.values() if table.count]
        if self._shift is None or self._shown is None or not tables:
            raise not_recorded()
        edits = [self._edits(table) for table in tables]
        shown = [(table, some) for table, some in zip(tables, edits, strict=True) if some]
        head = _head([table for table, _ in shown], [some for _, some in shown], self._place)
        ends = list(accumulate((extent.size for extent in self._extents), initial=len(head)))[1:]
        begin, end = self._shown
        digest = hashlib.sha256(head)
        for extent in self._extents:
            digest.update(repr((extent.recording.key, extent.offset, extent.size)).encode())
        return SpanFile(
            footage,
            camera,
            ticks_to_ms(self._began),
            ticks_to_ms(end - self._shift),
            ticks_to_ms(self._first),
            (end - begin) * 1000 // TICKS_PER_SECOND,
            self._stretches - 1,
            head,
            self._extents,
            ends,
            digest.hexdigest()[:32],
        )

    def _tracks_of(self, init: bytes) -> list[TrackDescription]:
        known = self._tracks.get(init)
        if known is None:
            known = self._tracks[init] = parse_init(init)
        return known

    def _begin_stretch(self, begin: int) -> None:
        self._stretches += 1
        self._broken = False
        if self._shift is None:
            self._first = begin
        self._stretch_at = self._reached
        self._shift = self._reached - begin

    def _fragment(
        self,
        recording: Recording,
        moof: int,
        runs: Sequence[SampleRun],
        video: SampleRun,
        tracks: Sequence[TrackDescription],
    ) -> None:
        assert self._shift is not None
        end = video.earliest() + sum(video.durations)
        if end > self._start:
            if self._shown is None:
                self._began = self._on_screen(video)
            begin = self._shown[0] if self._shown else self._began + self._shift
            self._shown = (begin, min(end, self._end) + self._shift)
        for run in runs:
            track = next((track for track in tracks if track.id == run.track), None)
            if track is None or not run.sizes:
                continue
            first, count = self._wanted(run, track)
            if count > 0:
                place = self._keep(recording, moof + run.offset, run.sizes, first, count)
                table = self._table(track)
                table.add(run, track.entry, _scaled(self._shift, track.timescale), first, count, place)
        self._reached = max(self._reached, end + self._shift)

    def _on_screen(self, video: SampleRun) -> int:
        """The time of the picture that is on the screen at the start, or of the first. An edit that began
        within a picture would make some players show all pictures early, beside their sound."""
        return max((at for at in _shown_times(video) if at <= self._start), default=video.earliest())

    def _wanted(self, run: SampleRun, track: TrackDescription) -> tuple[int, int]:
        """(number of the first, how many): not what is shown only after the end; of sound, also nothing that
        would overlap what is there or lies before the stretch's first picture."""
        times = list(run.decode_times())
        if track.id == VIDEO_TRACK:
            shown = _shown_times(run)
            if max(shown) < self._end:
                return 0, len(shown)
            return 0, max((number for number, at in enumerate(shown, 1) if at < self._end), default=0)
        assert self._shift is not None
        floor = self._floor(track) - _scaled(self._shift, track.timescale)
        first = bisect.bisect_left(times, floor)
        return first, bisect.bisect_left(times, self._end * track.timescale // TICKS_PER_SECOND) - first

    def _floor(self, track: TrackDescription) -> int:
        """The earliest time on the file's axis at which sound may go on."""
        table = self._table(track)
        if self._heard_in.get(table.number) == self._stretches:
            return table.newest + 1
        self._heard_in[table.number] = self._stretches
        if self._stretches == 1:
            return -track.timescale  # what began before the first picture is cut to it by the edit list
        begin = _scaled(self._stretch_at, track.timescale)
        return max(begin, table.end) if table.count else begin

    def _table(self, track: TrackDescription) -> TrackTable:
        key = (track.handler, track.coding, track.timescale)
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = TrackTable(len(self._tables) + 1, track)
        return table

    def _keep(self, recording: Recording, offset: int, sizes: Sequence[int], first: int, count: int) -> int:
        """Add bytes to the file; where in its media they begin."""
        offset += sum(sizes[:first])
        size = sum(sizes[first : first + count])
        place = self._place
        self._place += size
        last = self._extents[-1] if self._extents else None
        if last is not None and last.recording is recording and last.offset + last.size == offset:
            self._extents[-1] = last._replace(size=last.size + size)
        else:
            self._extents.append(Extent(recording, offset, size))
        return place

    def _edits(self, table: TrackTable) -> list[Edit]:
        """What is shown of a track, so that all begin together; nothing when it has nothing to show."""
        assert self._shown is not None
        begin, end = self._shown
        scale = table.track.timescale
        first, last = (value * TICKS_PER_SECOND // scale for value in (table.begin, table.end))
        edits = []
        if first > begin:
            edits.append(Edit(min(first, end) - begin, -1))
        shown = min(end, last) if table.track.handler == "soun" else end
        at = max(begin, first)
        if shown <= at:
            return []
        edits.append(Edit(shown - at, _scaled(at, scale) - table.begin if at > first else 0))
        return edits


def _shown_times(run: SampleRun) -> list[int]:
    """When each picture of a run is shown."""
    times = run.decode_times()
    return list(map(add, times, run.compositions)) if run.compositions else list(times)


def _scaled(ticks: int, timescale: int) -> int:
    """90 kHz ticks in a track's own, to the nearest."""
    return (2 * ticks * timescale + TICKS_PER_SECOND) // (2 * TICKS_PER_SECOND)


def _head(tables: Sequence[TrackTable], edits: Sequence[Sequence[Edit]], media: int) -> bytes:
    """All before the media: its place in the file depends on the head's own size, which does not change."""
    brand = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2mp41")
    if media + 8 <= _LARGEST_SMALL_BOX:
        header = struct.pack(">I4s", media + 8, b"mdat")
    else:
        header = struct.pack(">I4sQ", 1, b"mdat", media + 16)
    base = 0
    for _ in range(3):  # the offsets' width can change once
        found = brand + movie_box(tables, edits, base) + header
        if len(found) == base:
            return found
        base = len(found)
    return brand + movie_box(tables, edits, base) + header


def _read_runs(fd: int, offset: int, size: int) -> list[SampleRun]:
    """What the fragment at ``offset`` holds; nothing when it is damaged."""
    data = os.pread(fd, min(size, _USUAL_MOOF), offset)
    length = int.from_bytes(data[:4], "big")
    if len(data) < 8 or data[4:8] != b"moof" or not 16 <= length <= size:
        return []
    if length > len(data):
        data = os.pread(fd, length, offset)
    try:
        runs = sample_runs(data[:length])
    except Mp4Error:
        return []
    whole = all(length < run.offset and run.offset + sum(run.sizes) <= size for run in runs)
    return runs if whole else []


def _open(path: Path, opened: dict[Path, int], files: ExitStack) -> int:
    """An open descriptor of a file; those before it are closed, since cuts come file by file."""
    if path not in opened:
        files.close()
        opened.clear()
        try:
            opened[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise not_recorded() from error
        files.callback(os.close, opened[path])
    return opened[path]


def file_name(camera_name: str, start: str) -> str:
    """``Front-door_2026-11-23_22-15-04.mp4``: the camera's name as file systems like it, and a time."""
    kept = "".join(letter if letter.isalnum() else "-" for letter in camera_name)
    name = "-".join(part for part in kept.split("-") if part)[:80] or "camera"
    return f"{name}_{start}.mp4"


def _format_changed(parts: Sequence[Part]) -> BeholdenError:
    moment = to_rfc3339(parts[1].start_ms)
    before, after = (VIDEO_NAMES.get(cast(VideoCodec, part.codec), part.codec) for part in parts[:2])
    return BeholdenError(
        "format_changed",
        f"The camera changed from {before} to {after} at {moment}, which players do not follow in one file.",
        f"Download the time before {moment} and the time from then on separately.",
    )
