"""Coded media for the record room's tests: really encoded, once a run, as access units."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sqlalchemy import Connection

from beholden.catalog import Catalog, cameras, gaps, holds, journal, segments, volumes
from beholden.catalog.holds import Hold
from beholden.catalog.secrets import SecretBox
from beholden.catalog.segments import MediaFormat, Segment
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import StreamRole
from beholden.model.media import (
    AccessUnit,
    AudioCodec,
    AudioFormat,
    StreamFormat,
    Track,
    VideoCodec,
    VideoFormat,
)
from beholden.model.segment import SegmentKey
from beholden.model.time import FakeClock
from beholden.record.fmp4 import FragmentWriter, build_init
from beholden.record.index import Index
from beholden.record.reconcile import Reconciler
from beholden.record.retention import Retention
from beholden.store.fake import FakeStore

START_MS = 1_795_472_104_250
START = START_MS * 90
FPS, WIDTH, HEIGHT = 10, 160, 96
_ENCODERS = {"h264": "libx264", "h265": "libx265"}
_SOUND = {
    "aac": ("aac", 16000),
    "pcmu": ("pcm_mulaw", 8000),
    "pcma": ("pcm_alaw", 8000),
    "opus": ("libopus", 48000),
}

CodedStream = tuple[StreamFormat, list[AccessUnit]]


@pytest.fixture(scope="session")
def coded() -> Callable[..., CodedStream]:
    """``coded(codec, audio, seconds, gop, bframes)`` -> (format, units in order of arrival)."""
    return coded_stream


@functools.cache
def coded_stream(
    codec: VideoCodec = "h264",
    audio: AudioCodec | None = None,
    seconds: int = 3,
    gop: int = 10,
    bframes: int = 0,
) -> CodedStream:
    """A moving square and a tone; times begin at START."""
    video_format, pictures = _encode_video(codec, seconds * FPS, gop, bframes)
    if audio is None:
        return StreamFormat(video_format), pictures
    audio_format, sounds = _encode_audio(audio, seconds)
    merged = sorted(
        [*enumerate_times(pictures, 90_000), *enumerate_times(sounds, audio_format.rate)],
        key=lambda item: item[0],
    )
    return StreamFormat(video_format, audio_format), [unit for _, unit in merged]


def enumerate_times(units: list[AccessUnit], rate: int) -> list[tuple[float, AccessUnit]]:
    """Units with a time of arrival that keeps their order (decode order for pictures)."""
    latest = 0.0
    timed = []
    for unit in units:
        latest = max(latest, unit.pts / rate)
        timed.append((latest, unit))
    return timed


def _encode_video(
    codec: VideoCodec, count: int, gop: int, bframes: int
) -> tuple[VideoFormat, list[AccessUnit]]:
    context: Any = av.CodecContext.create(_ENCODERS[codec], "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}:repeat-headers=1:log-level=none"
    context.options = {"preset": "ultrafast", f"{_ENCODERS[codec][3:]}-params": params}
    packets = []
    for number in range(count):
        picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        left = number * 3 % (WIDTH - 20)
        picture[20:50, left : left + 20] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    sets: dict[int, bytes] = {}
    units = [_picture(codec, packet, sets) for packet in packets]
    return VideoFormat(codec, WIDTH, HEIGHT, tuple(sets[kind] for kind in sorted(sets))), units


def _picture(codec: VideoCodec, packet: Any, sets: dict[int, bytes]) -> AccessUnit:
    parts: list[bytes] = []
    key = False
    for nal in _nals(bytes(packet)):
        kind = nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63
        if kind in ((7, 8) if codec == "h264" else (32, 33, 34)):
            sets[kind] = nal
            continue
        if kind in ((6, 9) if codec == "h264" else (35, 39, 40)):
            continue
        key = key or (kind == 5 if codec == "h264" else 16 <= kind <= 21)
        parts += [len(nal).to_bytes(4, "big"), nal]
    pts = START + int(packet.pts) * 90_000 // FPS
    return AccessUnit(Track.VIDEO, pts, key, parts, sum(map(len, parts)), pts // 90)


def _nals(data: bytes) -> list[bytes]:
    return [piece.rstrip(b"\0") for piece in data.split(b"\0\0\1")[1:]]


def _encode_audio(codec: AudioCodec, seconds: int) -> tuple[AudioFormat, list[AccessUnit]]:
    name, rate = _SOUND[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout = rate, "mono"
    context.format = context.codec.audio_formats[0]
    context.open()
    size = context.frame_size or rate // 50
    units, position = [], 0
    wave = (np.sin(np.arange(seconds * rate) * 440 * 2 * np.pi / rate) * 8000).astype(np.int16)
    resampler = av.AudioResampler(format=context.format, layout="mono", rate=rate)
    packets = []
    for start in range(0, len(wave) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        for ready in resampler.resample(frame):
            packets += context.encode(ready)
    for packet in packets:
        data = bytes(packet)
        pts = START_MS * rate // 1000 + position
        units.append(AccessUnit(Track.AUDIO, pts, True, (data,), len(data), START_MS, size))
        position += size
    config = bytes(context.extradata or b"") if codec == "aac" else b""
    return AudioFormat(codec, rate, 1, config), units


SPS, PPS = (
    bytes.fromhex("6764001facd9405005bb011000000300100000030320f183196000"),
    bytes.fromhex("68ebe3cb22c0"),
)
FORMAT = StreamFormat(VideoFormat("h264", 1280, 720, (SPS, PPS)))
DAY_MS = 86_400_000
FAR = 1 << 62
NEVER = threading.Event()


def footage(start_ms: int, fragments: int = 3) -> bytes:
    """A file of so many seconds."""
    writer, parts = FragmentWriter(), [build_init(FORMAT)]
    for index in range(fragments):
        ticks = (start_ms + index * 1000) * 90
        units = [AccessUnit(Track.VIDEO, ticks + n * 9000, n == 0, (b"12345",), 5, 0) for n in range(10)]
        parts += writer.fragment(units, [], ticks + 90_000).parts
    return b"".join(parts)


class Place:
    """A catalog and volumes whose disks fail when told to. ``store`` is the first volume, ``camera`` keeps
    five days, and it is ten days after START_MS."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.catalog = Catalog.open(path)
        self.box = SecretBox.open(path)
        self.clock = FakeClock(START_MS + 10 * DAY_MS)
        self.stores: dict[int, FakeStore] = {}
        self.volume_id = self.add_volume("footage", floor_bytes=0)
        self.store = self.stores[self.volume_id]
        self.camera = self.add_camera("a", keep_days=5)
        self.index = Index(self.catalog, self.clock, batch_seconds=0.01)
        self.expired: list[tuple[int, int]] = []

    def add_volume(self, name: str, **settings: Any) -> int:
        store = FakeStore(self.path / name)
        with self.catalog.write() as conn:
            number = volumes.add(conn, 0, store.uuid, str(store.path), **settings)
        self.stores[number] = store
        return number

    def set_volume(self, number: int, **changes: Any) -> None:
        """As the product itself would, not as a person: who sets limits is believed."""
        with self.catalog.write() as conn:
            volumes.change(conn, 0, number, changes)

    def open_store(self, row: VolumeRow) -> FakeStore:
        return self.stores[row.id]

    def add_camera(self, name: str, **settings: Any) -> int:
        with self.catalog.write() as conn:
            new = cameras.NewCamera(name, f"rtsp://127.0.0.1/{name}", **settings)
            return cameras.add(conn, self.box, 0, new)

    def key(self, start_ms: int = START_MS, camera: int | None = None) -> SegmentKey:
        return SegmentKey(camera or self.camera, StreamRole.MAIN, start_ms)

    def put_file(self, key: SegmentKey, data: bytes, volume: int | None = None) -> None:
        path = self.stores[volume or self.volume_id].path_of(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_row(
        self, key: SegmentKey, data: bytes = b"x" * 1000, seconds: int = 3, volume: int | None = None
    ) -> None:
        with self.catalog.write() as conn:
            self.close_segment(conn, key, data, seconds, volume or self.volume_id)

    def close_segment(
        self, conn: Connection, key: SegmentKey, data: bytes, seconds: int, volume: int
    ) -> None:
        media = MediaFormat(0, b"init", "h264", "avc1.640028", 1280, 720, None, None, None)
        number = segments.format_id(conn, media)
        end_ms, digest = key.start_ms + seconds * 1000, hashlib.sha256(data).digest()
        segments.close_segment(conn, 0, Segment(key, end_ms, len(data), volume, number, False, digest, b""))

    def put_both(
        self, count: int, step_ms: int = 3000, camera: int | None = None, volume: int | None = None
    ) -> list[SegmentKey]:
        """So many files with rows, a thousand bytes each, each different."""
        keys = [self.key(START_MS + n * step_ms, camera) for n in range(count)]
        with self.catalog.write() as conn:
            for number, key in enumerate(keys):
                data = number.to_bytes(4, "big") * 250
                self.put_file(key, data, volume)
                self.close_segment(conn, key, data, 3, volume or self.volume_id)
        return keys

    def hold(self, start_ms: int, end_ms: int, camera: int | None = None) -> Hold:
        with self.catalog.write() as conn:
            return holds.add(conn, 0, camera, start_ms, end_ms, "theft", by="ada")

    def reconciler(self, owns: Callable[[int], bool] = lambda _: True) -> Reconciler:
        put = self.index.put
        return Reconciler(self.catalog, self.clock, put, owns, open_store=self.open_store, pause_seconds=0.0)

    def retention(self) -> Retention:
        def expired(camera: int, cutoff: int, _holds: Any) -> None:
            self.expired.append((camera, cutoff))

        return Retention(self.catalog, self.clock, expired, open_store=self.open_store)

    def retain(self) -> int:
        """One pass of a recorder that has just started."""
        return self.retention().run_once(NEVER)

    def rows(self, camera: int | None = None) -> list[Segment]:
        assert self.index.flush(30)
        with self.catalog.read() as conn:
            return segments.between(conn, camera or self.camera, StreamRole.MAIN, 0, FAR)

    def keys(self, camera: int | None = None) -> list[SegmentKey]:
        return [row.key for row in self.rows(camera)]

    def gaps(self, camera: int | None = None) -> list[gaps.Gap]:
        assert self.index.flush(30)
        with self.catalog.read() as conn:
            return gaps.between(conn, camera or self.camera, StreamRole.MAIN, 0, FAR)

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """What the journal says of a kind."""
        assert self.index.flush(30)
        with self.catalog.read() as conn:
            return [e.body for e in journal.entries(conn, limit=100_000) if e.kind == kind]

    def close(self) -> None:
        self.index.stop(30)
        self.catalog.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place whose threads are ended."""
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.fixture
def make_footage() -> Callable[..., bytes]:
    """``make_footage(start_ms, seconds)`` -> a whole recorded file."""
    return footage
