"""A coded clip in memory, as it comes over the bus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

from beholden.model.media import AccessUnit, Track, VideoFormat

START_MS = 1_767_225_600_000


@dataclass(frozen=True)
class Clip:
    """The access units of a coded sub stream, and how long it lasts."""

    path: Path
    video: VideoFormat
    units: list[AccessUnit]
    seconds: float


def read_clip(path: Path) -> Clip:
    """An H.264 MP4 file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        video = VideoFormat("h264", context.width, context.height, _parameter_sets(bytes(context.extradata)))
        packets = [packet for packet in container.demux(stream) if packet.size]
        units = [
            AccessUnit(
                Track.VIDEO,
                START_MS * 90 + round(float(packet.pts * packet.time_base) * 90_000),
                packet.is_keyframe,
                (bytes(packet),),
                packet.size,
                START_MS,
            )
            for packet in packets
        ]
    step = (units[-1].pts - units[0].pts) / (len(units) - 1)
    return Clip(path, video, units, len(units) * step / 90_000)


def _parameter_sets(record: bytes) -> tuple[bytes, ...]:
    sets, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            sets.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(sets)
