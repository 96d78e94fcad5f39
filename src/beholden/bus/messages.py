"""What travels on the bus: frames of ``u32 length | u8 type | body``, big endian.

The contract is docs/design/architecture.md, "The bus".
"""

from __future__ import annotations

import base64
import binascii
import enum
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import (
    AccessUnit,
    AudioCodec,
    AudioFormat,
    StreamFormat,
    Track,
    VideoCodec,
    VideoFormat,
)

MAX_FRAME_BYTES = 16 * 1024 * 1024
_LENGTH = struct.Struct(">IB")
_UNIT = struct.Struct(">IBBBQQI")
_KEY = 1


class BusError(BeholdenError):
    """The other side is absent, silent, gone, or speaks nonsense. ``code`` says which: ``bus_unreachable``,
    ``bus_timeout``, ``bus_closed``, ``bus_malformed``, ``bus_too_large``, ``bus_refused``."""


class FrameType(enum.IntEnum):
    """The second field of a frame."""

    JSON = 1
    UNIT = 2


@dataclass(frozen=True, slots=True)
class JsonMessage:
    """A request (``op``), an answer or news (``kind``)."""

    body: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it is, or an empty text for a request."""
        value = self.body.get("kind")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class UnitMessage:
    """One access unit of one stream; ``unit.data()`` is the sample as MP4 stores it."""

    camera: int
    stream: StreamRole
    unit: AccessUnit


Message = JsonMessage | UnitMessage


def encode_json(body: Mapping[str, Any]) -> bytes:
    """One JSON frame; BusError ``bus_too_large`` above 16 MiB."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    _check_size(len(text) + 1)
    return _LENGTH.pack(len(text) + 1, FrameType.JSON) + text


def encode_unit(camera: int, stream: StreamRole, unit: AccessUnit) -> bytes:
    """One UNIT frame in one piece, to be shared by all who receive it; BusError above 16 MiB."""
    size = 1 + _UNIT.size + unit.size
    _check_size(size)
    flags = _KEY if unit.key else 0
    header = _UNIT.pack(camera, stream, unit.track, flags, unit.pts, unit.arrival_ms, unit.duration)
    return b"".join((_LENGTH.pack(size, FrameType.UNIT), header, *unit.parts))


def decode_frame(kind: int, body: bytes) -> Message:
    """The message in one frame; BusError ``bus_malformed`` for anything else."""
    if kind == FrameType.UNIT:
        return _decode_unit(body)
    if kind != FrameType.JSON:
        raise _malformed(f"a frame of unknown type {kind}")
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _malformed("a frame that is not JSON") from error
    if not isinstance(parsed, dict):
        raise _malformed("JSON that is not an object")
    return JsonMessage(parsed)


def read_length(header: bytes) -> tuple[int, int]:
    """(body length, type) of a frame's first five bytes; BusError when too large or empty."""
    length, kind = _LENGTH.unpack(header)
    if length < 1:
        raise _malformed("an empty frame")
    _check_size(length)
    return length - 1, kind


HEADER_BYTES = _LENGTH.size


class FrameDecoder:
    """Cuts a byte stream into messages, however it was split on the way.

    Once it has raised BusError the stream has lost its framing: close the connection.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete now, in order."""
        self._buffer += data
        while len(self._buffer) >= HEADER_BYTES:
            length, kind = read_length(bytes(self._buffer[:HEADER_BYTES]))
            end = HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[HEADER_BYTES:end])
            del self._buffer[:end]
            yield decode_frame(kind, body)


def describe_format(camera: int, stream: StreamRole, stream_format: StreamFormat) -> dict[str, Any]:
    """The ``format`` news of a stream."""
    video, audio = stream_format.video, stream_format.audio
    return {
        "kind": "format",
        "camera": camera,
        "stream": stream.name.lower(),
        "video": {
            "codec": video.codec,
            "width": video.width,
            "height": video.height,
            "parameter_sets": [base64.b64encode(nal).decode() for nal in video.parameter_sets],
        },
        "audio": None
        if audio is None
        else {
            "codec": audio.codec,
            "rate": audio.rate,
            "channels": audio.channels,
            "config": base64.b64encode(audio.config).decode(),
        },
    }


def parse_format(body: Mapping[str, Any]) -> StreamFormat:
    """The tracks in a ``format`` news; BusError ``bus_malformed`` when it is not one."""
    try:
        video = body["video"]
        codec = video["codec"]
        if codec not in get_args(VideoCodec):
            raise ValueError(codec)
        sets = tuple(base64.b64decode(text, validate=True) for text in video["parameter_sets"])
        audio = body["audio"]
        return StreamFormat(
            VideoFormat(codec, int(video["width"]), int(video["height"]), sets),
            None if audio is None else _parse_audio(audio),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise _malformed("a format that cannot be read") from error


def stream_of(body: Mapping[str, Any]) -> tuple[int, StreamRole]:
    """(camera, stream) that a request or news names; BusError ``bus_malformed`` when it names none."""
    camera, name = body.get("camera"), body.get("stream")
    if not isinstance(camera, int) or isinstance(camera, bool) or name not in ("main", "sub"):
        raise _malformed("a message that names no stream")
    return camera, StreamRole[name.upper()]


def error_answer(op: object, error: BeholdenError) -> dict[str, Any]:
    """The answer to a request that cannot be served."""
    return {
        "kind": "error",
        "op": op if isinstance(op, str) else None,
        "code": error.code,
        "message": error.message,
        "next_step": error.next_step,
    }


def _parse_audio(audio: Mapping[str, Any]) -> AudioFormat:
    codec = audio["codec"]
    if codec not in get_args(AudioCodec):
        raise ValueError(codec)
    config = base64.b64decode(audio["config"], validate=True)
    return AudioFormat(codec, int(audio["rate"]), int(audio["channels"]), config)


def _decode_unit(body: bytes) -> UnitMessage:
    if len(body) < _UNIT.size:
        raise _malformed("a cut access unit")
    camera, stream, track, flags, pts, arrival_ms, duration = _UNIT.unpack_from(body)
    try:
        role, kind = StreamRole(stream), Track(track)
    except ValueError as error:
        raise _malformed("an access unit of an unknown track") from error
    parts: Sequence[bytes] = (body[_UNIT.size :],)
    unit = AccessUnit(kind, pts, bool(flags & _KEY), parts, len(parts[0]), arrival_ms, duration)
    return UnitMessage(camera, role, unit)


def _check_size(length: int) -> None:
    if length > MAX_FRAME_BYTES:
        raise BusError("bus_too_large", f"A bus frame of {length} bytes is over the limit of 16 MiB.")


def _malformed(what: str) -> BusError:
    return BusError(
        "bus_malformed", f"The other side of the bus sent {what}.", "Stop other programs that use its socket."
    )
