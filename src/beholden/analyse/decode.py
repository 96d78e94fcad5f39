"""From coded samples to pictures: one decoder a camera, one thread, no copy of the luma plane."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import av
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from beholden.analyse.damage import Damage
from beholden.analyse.detect.detector import Picture
from beholden.analyse.extradata import extradata
from beholden.model.media import VideoFormat
from beholden.model.time import ticks_to_ms

_CODECS = {"h264": "h264", "h265": "hevc", "av1": "libdav1d", "mjpeg": "mjpeg"}
_MOST_PIXELS = 7680 * 4320
Luma = NDArray[np.uint8]  # height x width
_mine = threading.local()

# FFmpeg writes its own opinion of damaged pictures to standard error; ours goes to the log, once.
av.logging.set_level(None)


class DecodeError(RuntimeError):
    """One sample could not be decoded; the next may be."""


class Decoded:
    """One decoded picture and when it was taken (epoch milliseconds).

    It holds the decoder's own buffer; colours are converted only when asked for.
    """

    __slots__ = ("_frame", "at_ms")

    def __init__(self, frame: VideoFrame, at_ms: int) -> None:
        self._frame = frame
        self.at_ms = at_ms

    @property
    def width(self) -> int:
        """In pixels."""
        return self._frame.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self._frame.height

    def luma(self) -> Luma:
        """The brightness plane [height, width]: a view for 8-bit video, valid as long as this object."""
        frame = self._frame
        if frame.format.components[0].bits != 8 or not frame.format.is_planar:
            frame = frame.reformat(format="gray8")
        plane = frame.planes[0]
        rows: Luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height, : frame.width]

    def rewritten(self, edit: Callable[[Luma, Sequence[Luma]], None]) -> Decoded:
        """A copy in 8-bit 4:2:0, its planes (brightness, then two of colour) as ``edit`` left them. The
        decoder builds later pictures on its own buffer, so that is never written to."""
        source = self._frame
        if source.format.name not in ("yuv420p", "yuvj420p"):
            source = source.reformat(format="yuv420p")
        made = VideoFrame(source.width, source.height, source.format.name)
        made.color_range, made.colorspace = source.color_range, source.colorspace
        planes = [_writable(plane) for plane in made.planes]
        for plane, old in zip(planes, source.planes, strict=True):
            plane[:] = np.frombuffer(memoryview(old), np.uint8).reshape(-1, old.line_size)[
                : plane.shape[0], : plane.shape[1]
            ]
        edit(planes[0], planes[1:])
        return Decoded(made, self.at_ms)

    def bgr(self, width: int = 0, height: int = 0) -> Picture:
        """Blue-green-red, [height, width, 3]; shrunk into ``width`` x ``height`` when they are given."""
        scale = min(width / self.width, height / self.height, 1.0) if width and height else 1.0
        columns, rows = max(2, round(self.width * scale)), max(2, round(self.height * scale))
        converted = _converter().reformat(self._frame, columns, rows, "bgr24", interpolation="AREA")
        return np.asarray(converted.to_ndarray(), np.uint8)


class Decoder:
    """Decodes the samples of one stream in one format, in order, beginning with a keyframe. Pictures that are
    damaged, or build on damaged ones, are left out."""

    def __init__(self, video: VideoFormat) -> None:
        """DecodeError when the format's parameter sets are unusable."""
        self.video = video
        self._damage = Damage(video)
        self._glances: VideoCodecContext | None = None
        try:
            self._context = _open(video)
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(f"the decoder did not accept the stream's parameters: {error}") from error

    def decode(self, sample: bytes, pts: int) -> list[Decoded]:
        """The pictures that are complete after this sample (4-byte lengths, ``pts`` in 90 kHz ticks);
        usually one. DecodeError costs it, and what builds on it."""
        self._damage.begin(sample)
        try:
            frames = self._context.decode(_packet(sample, pts))
        except (av.FFmpegError, ValueError) as error:
            self._damage.note()
            raise DecodeError(f"a picture could not be decoded: {error}") from error
        return list(self._whole(frames))

    def reset(self) -> None:
        """Forget what was decoded; a keyframe comes next."""
        self._context.flush_buffers()

    def decode_keyframe(self, sample: bytes, pts: int) -> list[Decoded]:
        """The same for a keyframe whose followers will not come: nothing is held back."""
        pictures = self.decode(sample, pts)
        try:
            pictures += self._whole(self._context.decode(None))
            self._context.flush_buffers()
        except av.FFmpegError as error:
            raise DecodeError(f"a keyframe could not be decoded: {error}") from error
        return pictures

    def glance(self, sample: bytes, pts: int) -> list[Decoded]:
        """A keyframe to compare with others, not to be kept: the edges of its blocks are not smoothed, which
        is an eighth cheaper. What ``decode`` goes on with stays as it is."""
        try:
            if self._glances is None:
                self._glances = _open(self.video, skip_loop_filter="all")
            frames = self._glances.decode(_packet(sample, pts)) + self._glances.decode(None)
            self._glances.flush_buffers()
        except (av.FFmpegError, ValueError) as error:
            self._glances = None
            raise DecodeError(f"a keyframe could not be decoded: {error}") from error
        return list(self._whole(frames))

    def _whole(self, frames: list[VideoFrame]) -> Iterator[Decoded]:
        for frame in frames:
            if frame.is_corrupt and frame.key_frame:
                self._damage.note()
                raise DecodeError("a keyframe came damaged")
            if self._damage.spares(frame) and frame.pts is not None:
                yield Decoded(frame, ticks_to_ms(frame.pts))


def _converter() -> VideoReformatter:
    """This thread's own: it keeps what it set up for the last size, and is for one thread."""
    if not hasattr(_mine, "converter"):
        _mine.converter = VideoReformatter()
    converter: VideoReformatter = _mine.converter
    return converter


def _packet(sample: bytes, pts: int) -> Packet[Stream]:
    packet = Packet(sample)
    packet.pts = packet.dts = pts
    return packet


def _open(video: VideoFormat, **options: str) -> VideoCodecContext:
    context = av.CodecContext.create(_CODECS[video.codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.extradata = extradata(video)
    context.thread_count = 1
    context.options = {"max_pixels": str(_MOST_PIXELS), **options}
    return context


def _writable(plane: VideoPlane) -> Luma:
    rows: Luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
