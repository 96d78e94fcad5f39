"""What tests of the analyser share: coded pictures as a recorder relays them, and real clips when present."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from beholden.analyse.decode import Decoded
from beholden.analyse.detect.detector import Picture
from beholden.model.media import AccessUnit, Track, VideoFormat
from beholden.model.time import ms_to_ticks

START_MS = 1_767_225_600_000


class Coded(NamedTuple):
    """A stream as it comes over the bus."""

    video: VideoFormat
    units: list[AccessUnit]


def parse_avcc(record: bytes) -> tuple[bytes, ...]:
    """The parameter sets of an avcC record."""
    sets, at = [], 5
    for mask in (0x1F, 0xFF):
        count, at = record[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            sets.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(sets)


def coded(path: Path, start_ms: int = START_MS, fps: float | None = None) -> Coded:
    """The access units of an H.264 MP4 file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        video = VideoFormat("h264", context.width, context.height, parse_avcc(bytes(context.extradata)))
        units = []
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            at_ms = number * 1000 / fps if fps else float(packet.pts * packet.time_base) * 1000
            data = bytes(packet)
            pts = ms_to_ticks(start_ms) + round(at_ms * 90)
            units.append(AccessUnit(Track.VIDEO, pts, packet.is_keyframe, (data,), len(data), start_ms))
    return Coded(video, units)


def write_clip(path: Path, pictures: Iterable[Picture], fps: int, gop: int, codec: str = "libx264") -> Path:
    """Code pictures [height, width, 3] as a camera would: no B pictures, a keyframe every ``gop``."""
    with av.open(str(path), "w") as container:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream(codec, rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size = gop
                stream.codec_context.max_b_frames = 0
                stream.options = {
                    "preset": "ultrafast",
                    "tune": "zerolatency",
                    "crf": "23",
                    "x265-params": "log-level=none",
                }
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def blank(height: int = 180, width: int = 320, grey: int = 110) -> Picture:
    """An even picture."""
    return np.full((height, width, 3), grey, np.uint8)


def decoded(picture: Picture, at_ms: int) -> Decoded:
    """A picture as the decoder gives it."""
    return Decoded(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p"), at_ms)


def pixels(values: NDArray[np.uint8]) -> Picture:
    """A grey plane as a picture."""
    return np.ascontiguousarray(np.repeat(values[..., None], 3, axis=2))


@pytest.fixture(scope="session")
def moving_square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two still seconds, then a bright square crosses the picture for three; 10 fps, GOPs of 1 s."""

    def pictures() -> Iterator[Picture]:
        for number in range(90):
            picture = blank()
            if 20 <= number < 50:
                left = (number - 20) * 8
                picture[60:120, left : left + 40] = 230
            yield picture

    return write_clip(tmp_path_factory.mktemp("square") / "square.mp4", pictures(), 10, 10)


Footage = Callable[[str], Path]


@pytest.fixture(scope="session")
def footage() -> Footage:
    """``footage(name)`` → a real clip, or the test is skipped."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "footage"
    folder = Path(os.environ.get("BEHOLDEN_FOOTAGE", default))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"real footage {name} is not here; BEHOLDEN_FOOTAGE names its folder")
        return folder / name

    return find
