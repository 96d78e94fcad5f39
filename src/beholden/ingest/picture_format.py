"""What a camera's parameter sets say of its pictures, for every codec we keep."""

from __future__ import annotations

from beholden.ingest.nal import NalError, h264_size, h265_size
from beholden.ingest.rtp.jpeg import size_of
from beholden.model.av1 import parse_sequence_header
from beholden.model.media import VideoCodec, VideoFormat


def picture_format(codec: VideoCodec, sets: tuple[bytes, ...]) -> VideoFormat:
    """The format of what a depacketiser gave as parameter sets; NalError when they make no sense."""
    try:
        if codec == "h264":
            return VideoFormat(codec, *h264_size(sets[0]), sets)
        if codec == "h265":
            return VideoFormat(codec, *h265_size(sets[1]), sets)
        if codec == "av1":
            header = parse_sequence_header(sets[0])
            return VideoFormat(codec, header.width, header.height, sets)
        return VideoFormat(codec, *size_of(sets[0]), ())
    except (ValueError, IndexError) as error:
        raise NalError(str(error)) from error
