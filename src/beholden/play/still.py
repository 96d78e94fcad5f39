"""A decoded picture of a recorded instant, and of a keyframe fresh from a camera."""

from __future__ import annotations

from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.media import StreamFormat
from beholden.model.time import ms_to_ticks
from beholden.play.footage import Footage, Gop, Recording, not_recorded, read_bytes
from beholden.play.fragments import by_track, read_fragments
from beholden.play.leave import Leave
from beholden.play.tracks import parse_init
from beholden.play.workshop import Workshop, run_once
from beholden.record import fmp4

# How long before an instant the newest picture may be and still show it.
REACH_MS = 10_000


async def still_at(
    recording: Recording, gop: Gop, at_ms: int, workshop: Workshop, leave: Leave, *, tallest: int = 1080
) -> bytes:
    """JPEG of the newest picture at or before an instant, of the GOP that ``find`` found.

    BeholdenError ``not_decodable``, ``busy`` or ``took_too_long``.
    """
    leave.require(recording.key.camera, Action.STILL)
    task = (str(recording.path), recording.media.init, gop.offset, gop.size, ms_to_ticks(at_ms), tallest)
    return await workshop.run(decode_recorded, *task)


def find(footage: Footage, camera: int, at_ms: int) -> tuple[Recording, Gop]:
    """The GOP that holds the newest picture at or before an instant; BeholdenError ``not_recorded`` when
    there is none within 10 s. Blocks for catalog and disk."""
    at = ms_to_ticks(at_ms)
    best: tuple[Recording, Gop] | None = None
    for recording in footage.between(camera, StreamRole.MAIN, at_ms - REACH_MS, at_ms + 1):
        for gop in recording.gops(whole=False):
            if gop.time <= at and (best is None or gop.time > best[1].time):
                best = recording, gop
    if best is None or best[1].end < at - ms_to_ticks(REACH_MS):
        raise not_recorded()
    return best


def decode_recorded(path: str, init: bytes, offset: int, size: int, at: int, tallest: int) -> bytes:
    """JPEG of the newest picture at or before tick ``at`` of a GOP in a file. Runs in a worker process."""
    from pathlib import Path

    from beholden.play.picture import jpeg, newest_picture

    track = next(track for track in parse_init(init) if track.handler == "vide")
    run = by_track(read_fragments(read_bytes(Path(path), offset, size)))[track.id]
    return jpeg(newest_picture(track, run, at), tallest)


def decode_key(
    stream_format: StreamFormat, sample: bytes, *, tallest: int = 1080, seconds: float = 15.0
) -> bytes:
    """JPEG of one keyframe as MP4 stores it (4-byte lengths), decoded in a process of its own.

    Blocks. BeholdenError ``not_decodable`` or ``took_too_long``.
    """
    return run_once(decode_sample, fmp4.build_init(stream_format), sample, tallest, seconds=seconds)


def decode_sample(init: bytes, sample: bytes, tallest: int) -> bytes:
    """JPEG of one keyframe. Runs in a worker process."""
    from beholden.play.fragments import Run, Sample
    from beholden.play.picture import jpeg, newest_picture

    track = parse_init(init)[0]
    return jpeg(newest_picture(track, Run(track.id, 0, [Sample(sample, 3600)]), 0), tallest)
