"""Fixtures: footage recorded from drawn clips, with our own writer, indexed as the recorder does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest

from beholden.catalog import Catalog, cameras, gaps, segments, volumes
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.demo.clip import Clip, read_clip
from beholden.model.camera import StreamRole
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat
from beholden.model.segment import FragmentEntry, SegmentKey, pack_fragments
from beholden.model.time import TICKS_PER_MS
from beholden.play.footage import Footage, media_of
from beholden.record import fmp4
from beholden.store.volume import Volume

START_MS = 1_767_225_600_000
G711_FRAME = 160
AUDIO_CODECS = {
    "aac": "aac",
    "pcm_mulaw": "pcmu",
    "pcm_alaw": "pcma",
    "opus": "opus",
    "pcm_s16be": "l16",
}


@dataclass
class Coded:
    """A clip as access units from time 0, and its format."""

    format: StreamFormat
    units: list[AccessUnit]
    ticks: int


@dataclass
class Archive:
    """A catalog with footage, and what a test needs to look behind it."""

    catalog: Catalog
    volume: Volume
    volume_id: int
    footage: Footage
    camera: int
    recorded: list[SegmentKey] = field(default_factory=list)

    def record(
        self,
        clip: Path,
        start_ms: int = START_MS,
        *,
        rounds: int = 1,
        fragment_ms: int = 1000,
        growing: bool = False,
        stream: StreamRole = StreamRole.MAIN,
        epoch: int = 0,
    ) -> SegmentKey:
        """A file of ``rounds`` rounds of a clip; fragments last ``fragment_ms`` at most."""
        coded = coded_clip(clip)
        init, fragments, entries, ticks = write_fragments(coded, start_ms, rounds, fragment_ms)
        place = SegmentKey(self.camera, stream, start_ms, epoch)
        return self.store(start_ms, init, fragments, entries, ticks=ticks, growing=growing, key=place)

    def store(
        self,
        start_ms: int,
        init: bytes,
        fragments: list[bytes],
        entries: list[FragmentEntry],
        *,
        ticks: int = 0,
        growing: bool = False,
        key: SegmentKey | None = None,
    ) -> SegmentKey:
        """A file of these fragments, indexed unless it is ``growing``."""
        key = key or SegmentKey(self.camera, StreamRole.MAIN, start_ms)
        ticks = ticks or sum(entry.ticks for entry in entries)
        data = init + b"".join(fragments)
        fd = self.volume.create_exclusive(key)
        self.volume.write(fd, data)
        self.volume.sync(fd, key)
        os.close(fd)
        self.recorded.append(key)
        if not growing:
            with self.catalog.write() as conn:
                fmt = segments.format_id(conn, media_of(init))
                item = segments.Segment(
                    key,
                    start_ms + ticks // TICKS_PER_MS,
                    len(data),
                    self.volume_id,
                    fmt,
                    False,
                    hashlib.sha256(data).digest(),
                    pack_fragments(entries),
                )
                segments.close_segment(conn, start_ms, item)
        return key

    def gap(self, start_ms: int, end_ms: int | None, cause: GapCause = GapCause.CAMERA_LOST) -> None:
        """A gap as the recorder notes it."""
        with self.catalog.write() as conn:
            gaps.open_gap(conn, start_ms, gaps.Gap(self.camera, StreamRole.MAIN, start_ms, end_ms, cause, ""))


def write_fragments(coded: Coded, start_ms: int, rounds: int, fragment_ms: int):
    """(init, fragments, index entries, ticks) of a clip written as the recorder writes."""
    writer, audio_rate = fmp4.FragmentWriter(), coded.format.audio.rate if coded.format.audio else 0
    fragments, entries = [], []
    video: list[AccessUnit] = []
    audio: list[AccessUnit] = []

    def close(next_pts: int | None) -> None:
        if video:
            made = writer.fragment(video, audio, next_pts)
            fragments.append(b"".join(made.parts))
            entries.append(made.entry)
        video.clear()
        audio.clear()

    for turn in range(rounds):
        base = start_ms * TICKS_PER_MS + turn * coded.ticks
        for unit in coded.units:
            is_video = unit.track is Track.VIDEO
            pts = unit.pts + (base if is_video else base * audio_rate // 90_000)
            moved = AccessUnit(unit.track, pts, unit.key, unit.parts, unit.size, 0, unit.duration)
            if is_video and video and (unit.key or pts - video[0].pts >= fragment_ms * TICKS_PER_MS):
                close(pts)
            (video if is_video else audio).append(moved)
    end = start_ms * TICKS_PER_MS + rounds * coded.ticks
    close(end)
    return fmp4.build_init(coded.format), fragments, entries, rounds * coded.ticks


def coded_clip(path: Path) -> Coded:
    """Demux a clip: video by length-prefixed NAL units without parameter sets, audio by frames."""
    clip = read_clip(path)
    with av.open(str(path)) as container:
        stream_format = _format(clip, container)
        units: list[AccessUnit] = []
        for packet in container.demux(container.streams.best("video"), *container.streams.audio):
            if packet.size:
                units += _units(packet, bytes(packet))
    units = in_order_of_arrival(units, stream_format)
    ticks = round(clip.seconds * 90_000)
    units = [
        unit
        for unit in units
        if unit.track is Track.VIDEO or 0 <= unit.pts < ticks * stream_format.audio.rate // 90_000
    ]
    return Coded(stream_format, units, ticks)


def in_order_of_arrival(units: list[AccessUnit], stream_format: StreamFormat) -> list[AccessUnit]:
    """Pictures in decode order, sound among them when its time has come."""
    latest, timed = 0.0, []
    for unit in (unit for unit in units if unit.track is Track.VIDEO):
        latest = max(latest, unit.pts / 90_000)
        timed.append((latest, unit))
    timed += [(unit.pts / stream_format.audio.rate, unit) for unit in units if unit.track is Track.AUDIO]
    return [unit for _, unit in sorted(timed, key=lambda item: item[0])]


def _format(clip: Clip, container: av.container.InputContainer) -> StreamFormat:
    video = clip.video
    audio = None
    for stream in container.streams.audio:
        codec = AUDIO_CODECS[stream.codec_context.name]
        rate = 48_000 if codec == "opus" else stream.codec_context.sample_rate
        config = bytes(stream.codec_context.extradata or b"") if codec == "aac" else b""
        audio = AudioFormat(codec, rate, 1, config)
    shape = VideoFormat(video.codec, clip.width, clip.height, video.parameter_sets)
    return StreamFormat(shape, audio)


def _units(packet: av.Packet, data: bytes) -> list[AccessUnit]:
    rate = 90_000 if packet.stream.type == "video" else packet.stream.codec_context.sample_rate
    pts = round(packet.pts * packet.time_base * rate)
    if packet.stream.type == "video":
        return [AccessUnit(Track.VIDEO, pts, packet.is_keyframe, (data,), len(data), 0)]
    width = {"pcm_mulaw": 1, "pcm_alaw": 1, "pcm_s16be": 2}.get(packet.stream.codec_context.name)
    if width is None:
        duration = round(packet.duration * packet.time_base * rate)
        return [AccessUnit(Track.AUDIO, pts, True, (data,), len(data), 0, duration)]
    pieces = [data[at : at + width * G711_FRAME] for at in range(0, len(data), width * G711_FRAME)]
    return [
        AccessUnit(Track.AUDIO, pts + number * G711_FRAME, True, (piece,), len(piece), 0, len(piece) // width)
        for number, piece in enumerate(pieces)
    ]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An empty archive of one camera."""
    catalog = Catalog.open(tmp_path)
    volume = Volume.create(tmp_path / "footage")
    with catalog.write() as conn:
        volume_id = volumes.add(conn, START_MS, volume.uuid, str(volume.path))
        camera = cameras.add(
            conn, SecretBox.open(tmp_path), START_MS, NewCamera("gate", "rtsp://127.0.0.1/gate")
        )
    made = Archive(catalog, volume, volume_id, Footage(catalog, {volume_id: volume}), camera)
    yield made
    catalog.close()


@pytest.fixture
def recorder_units() -> Callable[[Path], Coded]:
    """``recorder_units(clip)`` → its access units as a recorder would pass them on."""
    return coded_clip
