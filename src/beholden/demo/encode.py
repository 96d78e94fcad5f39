"""Pictures and sound to a clip file: the encoder settings a camera would use.

IPPP unless B-pictures are asked for, fixed GOPs, constrained bitrate, as surveillance cameras send.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt

from beholden.model.media import AudioCodec, VideoCodec

Picture = npt.NDArray[np.uint8]
"""height x width x 3, BGR."""

_VIDEO_ENCODERS = {"h264": "libx264", "h265": "libx265", "av1": "libsvtav1", "mjpeg": "mjpeg"}
_RANGES = {"h264": "MPEG", "h265": "MPEG", "av1": "MPEG", "mjpeg": "JPEG"}
_AUDIO_ENCODERS = {
    "aac": "aac",
    "pcmu": "pcm_mulaw",
    "pcma": "pcm_alaw",
    "opus": "libopus",
    "l16": "pcm_s16be",
}
_AUDIO_RATES = {"aac": 16_000, "pcmu": 8_000, "pcma": 8_000, "opus": 48_000, "l16": 16_000}
_AUDIO_FRAMES = {"aac": 1024, "pcmu": 160, "pcma": 160, "opus": 960, "l16": 320}

AudioKind = AudioCodec | Literal["none"]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a clip is coded. ``gop`` in pictures, ``bitrate`` in bit/s (0: constant quality),
    ``seconds`` of sound to make, ``b_pictures`` between two others (H.264 and H.265)."""

    width: int
    height: int
    fps: int
    codec: VideoCodec = "h264"
    gop: int = 0
    bitrate: int = 0
    audio: AudioKind = "none"
    preset: str = "veryfast"
    b_pictures: int = 0

    @property
    def gop_pictures(self) -> int:
        """Pictures from one keyframe to the next: one second unless chosen."""
        return self.gop or self.fps


def write_clip(
    path: Path, pictures: Iterable[Picture], encoding: Encoding, sound: npt.NDArray[np.int16] | None = None
) -> None:
    """Encode pictures (already of the encoding's size) to ``path``, which appears whole or not at all.

    ``sound`` is mono, at ``sound_rate(encoding.audio)``; silence when None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.stem, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        _encode(name, pictures, encoding, sound)
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def sound_rate(audio: AudioKind) -> int:
    """Samples a second of a codec's sound; 0 for none."""
    return _AUDIO_RATES.get(audio, 0)


def suffix(audio: AudioKind, codec: VideoCodec = "h264") -> str:
    """The file ending that can carry both: QuickTime carries G.711 and L16, MP4 does not; Matroska carries
    them beside AV1, which QuickTime does not."""
    if audio not in ("pcmu", "pcma", "l16"):
        return ".mp4"
    return ".mkv" if codec == "av1" else ".mov"


def _encode(
    name: str, pictures: Iterable[Picture], encoding: Encoding, sound: npt.NDArray[np.int16] | None
) -> None:
    with av.open(name, "w") as container:
        video = _video_stream(container, encoding)
        audio = _audio_stream(container, encoding.audio)
        count = 0
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame = frame.reformat(format=video.pix_fmt, dst_color_range=_RANGES[encoding.codec])
            frame.pts, frame.time_base = count, Fraction(1, encoding.fps)
            container.mux(video.encode(frame))
            count += 1
        container.mux(video.encode(None))
        if audio is not None:
            for audio_frame in _audio_frames(encoding.audio, count / encoding.fps, sound):
                container.mux(audio.encode(audio_frame))
            container.mux(audio.encode(None))


def _video_stream(container: av.container.OutputContainer, encoding: Encoding) -> av.VideoStream:
    stream = container.add_stream(
        _VIDEO_ENCODERS[encoding.codec], rate=encoding.fps, options=_options(encoding)
    )
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = encoding.width, encoding.height
    stream.pix_fmt = "yuvj420p" if encoding.codec == "mjpeg" else "yuv420p"
    stream.time_base = Fraction(1, 90_000)
    stream.codec_context.time_base = Fraction(1, encoding.fps)
    stream.codec_context.thread_count = 1 if encoding.codec == "av1" else 2
    if encoding.codec == "av1":
        stream.codec_context.gop_size = encoding.gop_pictures
    if encoding.bitrate:
        stream.bit_rate = encoding.bitrate
    return stream


def _options(encoding: Encoding) -> dict[str, str]:
    if encoding.codec == "mjpeg":
        return {"huffman": "default"}  # the tables every receiver of RFC 2435 assumes
    if encoding.codec == "av1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: it talks to standard error
        rate = f"rc=1:tbr={encoding.bitrate // 1000}" if encoding.bitrate else "rc=0:crf=35"
        return {"preset": "11", "svtav1-params": f"pred-struct=1:scd=0:lp=1:{rate}"}
    encoder = _VIDEO_ENCODERS[encoding.codec]
    params = [f"keyint={encoding.gop_pictures}", f"min-keyint={encoding.gop_pictures}"]
    params += [
        "scenecut=0",
        f"bframes={encoding.b_pictures}",
        "ref=1",
        "rc-lookahead=0" if encoding.codec == "h264" else "log-level=none",
    ]
    if encoding.bitrate:
        kilobits = encoding.bitrate // 1000
        params += [f"vbv-maxrate={kilobits}", f"vbv-bufsize={kilobits}"]
    return {"preset": encoding.preset, f"{encoder[3:]}-params": ":".join(params)}


def _audio_stream(container: av.container.OutputContainer, audio: AudioKind) -> av.AudioStream | None:
    if audio == "none":
        return None
    stream = container.add_stream(_AUDIO_ENCODERS[audio], rate=_AUDIO_RATES[audio])
    assert isinstance(stream, av.AudioStream)
    stream.layout = "mono"
    if audio in ("aac", "opus"):
        stream.bit_rate = 32_000
    return stream


def _audio_frames(
    audio: AudioKind, seconds: float, sound: npt.NDArray[np.int16] | None
) -> Iterator[av.AudioFrame]:
    rate, size = _AUDIO_RATES[audio], _AUDIO_FRAMES[audio]
    total = int(seconds * rate) // size * size
    samples = np.zeros(total, np.int16)
    if sound is not None:
        samples[: len(sound)] = sound[:total]
    for at in range(0, total, size):
        chunk = samples[None, at : at + size]
        frame = av.AudioFrame.from_ndarray(chunk, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        yield frame
