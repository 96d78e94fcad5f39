"""A stretch of footage as one MP4 to keep: recorded bytes with their clocks moved to 0, nothing re-encoded.

The file is fragmented as the recordings are, with its whole duration and an index of its GOPs (``sidx``) at
the head, so players seek in it at once. Its size is known before the first byte is read. Where footage is
missing the next begins at once: the gap is closed up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.time import TICKS_PER_SECOND, ticks_to_ms, to_rfc3339
from beholden.play.footage import Cut, Footage, cut, not_recorded, read_bytes
from beholden.play.fragments import Run, move, read_fragments
from beholden.play.leave import Leave
from beholden.play.tracks import TrackDescription, build_init, parse_init
from beholden.record.fmp4.boxes import full_box

_MOST_REFERENCES = 65_535


@dataclass(frozen=True, slots=True)
class Stretch:
    """Cuts without a hole between them, and what is added to each track's clock, by track."""

    cuts: list[Cut]
    shifts: dict[int, int]
    ticks: int


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is made while it is read. ``start_ms`` is its first picture, ``gaps`` how many holes were
    closed up, ``size`` its bytes."""

    camera: int
    start_ms: int
    end_ms: int
    duration_ms: int
    gaps: int
    size: int
    head: bytes
    stretches: list[Stretch]

    def read(self, leave: Leave) -> Iterator[bytes]:
        """The bytes, a GOP at a time; reads the disk, so run it in a thread."""
        leave.require(self.camera, Action.DOWNLOAD)
        yield self.head
        sequence = 0
        for stretch in self.stretches:
            for recording, gop, _ in stretch.cuts:
                data = bytearray(read_bytes(recording.path, gop.offset, gop.size))
                sizes = [entry.size for entry in recording.fragments[gop.first : gop.first + gop.fragments]]
                sequence = _move_all(data, sizes, sequence, stretch.shifts)
                yield bytes(data)


def plan_download(footage: Footage, camera: int, start_ms: int, end_ms: int) -> Download:
    """What [start_ms, end_ms) of a camera's main stream becomes, from the keyframe at or before the start.

    Blocks for catalog and disk. BeholdenError ``bad_range``, ``not_recorded``, or ``format_changed`` when the
    camera changed its picture or sound in between, which one MP4 track cannot hold.
    """
    if start_ms >= end_ms:
        raise BeholdenError("bad_range", "The end is not after the start.", "Ask for a later end.")
    cuts = list(cut(footage.between(camera, StreamRole.MAIN, start_ms, end_ms), start_ms, end_ms))
    if not cuts:
        raise not_recorded()
    init = cuts[0].recording.media.init
    for item in cuts:
        if item.recording.media.init != init:
            raise _format_changed(ticks_to_ms(item.gop.time))
    tracks = parse_init(init)
    stretches, length = _place(cuts, tracks)
    duration_ms = int(length * 1000)
    head = build_init(tracks, duration_ms)
    head += _index(tracks, stretches)
    size = len(head) + sum(item.gop.size for item in cuts)
    start, end = ticks_to_ms(cuts[0].gop.time), ticks_to_ms(cuts[-1].gop.end)
    return Download(camera, start, end, duration_ms, len(stretches) - 1, size, head, stretches)


def _place(cuts: Sequence[Cut], tracks: Sequence[TrackDescription]) -> tuple[list[Stretch], Fraction]:
    """Each unbroken stretch moved to where the one before it ends; and the end of the last, in seconds."""
    scales = {track.id: track.timescale for track in tracks}
    groups: list[list[Cut]] = []
    for item in cuts:
        if item.fresh or not groups:
            groups.append([])
        groups[-1].append(item)
    stretches: list[Stretch] = []
    position = Fraction(0)
    for group in groups:
        first = _runs(group[0], 0)
        last = _runs(group[-1], group[-1].gop.fragments - 1)
        begin = min(Fraction(run.time, scales[run.track]) for run in first)
        moved = position - begin
        position = max(Fraction(run.end, scales[run.track]) for run in [*first, *last]) + moved
        shifts = {number: round(moved * scale) for number, scale in scales.items()}
        ticks = round(position * TICKS_PER_SECOND) - sum(stretch.ticks for stretch in stretches)
        stretches.append(Stretch(group, shifts, ticks))
    return stretches, position


def _runs(item: Cut, number: int) -> list[Run]:
    """The runs of one fragment of a GOP."""
    offset, size = item.recording.fragments_between(item.gop.first + number, 1)
    return [run for run in read_fragments(read_bytes(item.recording.path, offset, size)) if run.samples]


def _index(tracks: Sequence[TrackDescription], stretches: Sequence[Stretch]) -> bytes:
    """The ``sidx`` box (ISO/IEC 14496-12, 8.16.3): where each GOP lies and how long it lasts."""
    entries: list[tuple[int, int]] = []
    for stretch in stretches:
        lengths = [item.gop.ticks for item in stretch.cuts]
        lengths[-1] = max(1, stretch.ticks - sum(lengths[:-1]))
        entries += [(item.gop.size, ticks) for item, ticks in zip(stretch.cuts, lengths, strict=True)]
    together = -(-len(entries) // _MOST_REFERENCES)
    body = bytearray()
    count = 0
    for at in range(0, len(entries), together):
        some = entries[at : at + together]
        size, ticks = sum(entry[0] for entry in some), sum(entry[1] for entry in some)
        body += struct.pack(
            ">III", size & 0x7FFFFFFF, ticks, 0x90000000
        )  # begins with a keyframe: SAP type 1
        count += 1
    head = struct.pack(">IIQQHH", tracks[0].id, TICKS_PER_SECOND, 0, 0, 0, count)
    return full_box(b"sidx", 1, 0, head, bytes(body))


def _move_all(data: bytearray, sizes: Sequence[int], sequence: int, shifts: dict[int, int]) -> int:
    at = 0
    for size in sizes:
        (length,) = struct.unpack_from(">I", data, at)
        moof = data[at : at + length]
        sequence += 1
        move(moof, sequence, shifts)
        data[at : at + length] = moof
        at += size
    return sequence


def file_name(camera_name: str, start: str) -> str:
    """``Front-door_2026-11-23_22-15-04.mp4``: the camera's name as file systems like it, and a time."""
    kept = "".join(letter if letter.isalnum() else "-" for letter in camera_name)
    name = "-".join(part for part in kept.split("-") if part)[:80] or "camera"
    return f"{name}_{start}.mp4"


def _format_changed(at_ms: int) -> BeholdenError:
    moment = to_rfc3339(at_ms)
    return BeholdenError(
        "format_changed",
        f"The camera changed its picture or sound at {moment}, which one file cannot hold.",
        f"Download the time before {moment} and the time from then on separately.",
    )
