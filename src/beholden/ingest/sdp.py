"""Session descriptions (RFC 8866) as cameras write them: forgiving about everything not needed."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from beholden.ingest.rtp.aac import AacLayout, config_rate, frame_samples, make_config
from beholden.model.media import AudioFormat, VideoCodec

_STATIC = {
    0: ("PCMU", 8000, 1),
    8: ("PCMA", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    26: ("JPEG", 90000, 1),
    32: ("MPV", 90000, 1),
    14: ("MPA", 90000, 1),
}
_MAX_MEDIA = 16
_VIDEO: dict[str, VideoCodec] = {
    "H264": "h264",
    "H265": "h265",
    "HEVC": "h265",
    "AV1": "av1",
    "JPEG": "mjpeg",
}


@dataclass(slots=True)
class Media:
    """One ``m=`` section. ``kind`` is ``video``, ``audio`` or ``application``; ``encoding`` in capitals;
    ``parameters`` from ``a=fmtp``, keys in small letters."""

    kind: str
    payload_type: int
    encoding: str = ""
    clock_rate: int = 0
    channels: int = 1
    control: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    towards_camera: bool = False


@dataclass(slots=True)
class Description:
    """A whole session description. ``control`` is the session's own URL, often ``*``."""

    control: str = ""
    media: list[Media] = field(default_factory=list)


def parse(text: str) -> Description:
    """Read a session description; lines that make no sense are passed over."""
    description = Description()
    media: Media | None = None
    for line in text.splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "m":
            media = _media_line(value)
            if media is not None and len(description.media) < _MAX_MEDIA:
                description.media.append(media)
        elif kind == "a" and media is not None:
            _attribute(media, value)
        elif kind == "a" and value.startswith("control:"):
            description.control = value[8:].strip()
    return description


def video_codec(media: Media) -> VideoCodec | None:
    """Which of our codecs this is; None when it is none of them."""
    if media.kind != "video":
        return None
    return _VIDEO.get(media.encoding)


def parameter_sets(media: Media) -> tuple[bytes, ...]:
    """The NAL units of ``sprop-parameter-sets`` or ``sprop-vps/sps/pps``; bad ones are left out."""
    names = ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps")
    texts = ",".join(media.parameters.get(name, "") for name in names).split(",")
    return tuple(nal for nal in map(_unbase64, texts) if len(nal) >= 3)


def audio_format(media: Media) -> AudioFormat | None:
    """The format of an audio section we can keep; None for others (the video is recorded all the same)."""
    if media.kind != "audio" or media.towards_camera or not 0 < media.channels <= 8:
        return None
    if media.encoding in ("PCMU", "PCMA"):
        return AudioFormat(
            "pcmu" if media.encoding == "PCMU" else "pcma", media.clock_rate or 8000, media.channels
        )
    if media.encoding == "L16" and media.channels <= 2 and 8000 <= media.clock_rate <= 48_000:
        return AudioFormat("l16", media.clock_rate, media.channels)
    if media.encoding == "OPUS":
        return AudioFormat("opus", 48_000, 2 if media.parameters.get("sprop-stereo") != "0" else 1)
    if media.encoding == "MPEG4-GENERIC" and 7350 <= media.clock_rate <= 96_000:
        if media.parameters.get("mode", "AAC-hbr").lower() not in ("aac-hbr", "aac-lbr"):
            return None
        return AudioFormat("aac", media.clock_rate, media.channels, _aac_config(media))
    return None


def aac_layout(media: Media) -> AacLayout:
    """How this section's AAC packets are laid out."""
    size = _small(media.parameters.get("sizelength"), 13)
    index = _small(media.parameters.get("indexlength"), 3)
    return AacLayout(size, index, frame_samples(_aac_config(media), media.clock_rate))


def _aac_config(media: Media) -> bytes:
    try:
        config = bytes.fromhex(media.parameters.get("config", ""))
    except ValueError:
        config = b""
    return config if config_rate(config) else make_config(media.clock_rate, media.channels)


def _small(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and 0 < int(text[:4]) <= 16 else otherwise


def _media_line(value: str) -> Media | None:
    words = value.split()
    if len(words) < 4 or not _is_number(words[3]):
        return Media(words[0].lower(), -1) if words else None
    payload_type = int(words[3])
    encoding, rate, channels = _STATIC.get(payload_type, ("", 0, 1))
    return Media(words[0].lower(), payload_type, encoding, rate, channels)


def _attribute(media: Media, value: str) -> None:
    name, _, rest = value.partition(":")
    rest = rest.strip()
    if name == "control":
        media.control = rest
    elif name == "sendonly":
        media.towards_camera = True  # ONVIF back channel: what a client sends, the camera plays
    elif name == "rtpmap":
        found = re.match(r"(\d{1,3})\s+([^\s/]+)/(\d{1,9})(?:/(\d{1,2}))?", rest, re.ASCII)
        if found and int(found[1]) == media.payload_type:
            media.encoding = found[2].upper()
            media.clock_rate = int(found[3])
            media.channels = int(found[4] or 1)
    elif name == "fmtp":
        number, _, text = rest.partition(" ")
        if number == str(media.payload_type):
            for pair in text.split(";"):
                key, _, word = pair.strip().partition("=")
                media.parameters[key.lower()] = word.strip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 3


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
