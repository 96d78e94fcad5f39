"""What was seen in each analysed picture, packed: boxes of objects, and nothing else about them.

The format has room for a time and, for each object, a number that tells it apart from others in view, its
class, score, box, and whether it stands still. There is no field for more, and bytes beyond these are refused
when read (tests/refusal holds both). docs/design/memory.md gives the layout.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject

VERSION = 1
FRAME = struct.Struct(">IB")  # milliseconds since the block's first instant, how many objects
OBJECT = struct.Struct(">IBBHHHHB")  # track, class, score, left, top, right, bottom, flags
MOST_OBJECTS = 255
_STATIONARY = 1
_SCORE = 255
_PLACE = 65_535
_LARGEST = 4 * 1024 * 1024
# Numbers on disk: a new class takes the next one, none is ever given twice.
CLASSES = (
    ObjectClass.PERSON,
    ObjectClass.BICYCLE,
    ObjectClass.CAR,
    ObjectClass.MOTORCYCLE,
    ObjectClass.BUS,
    ObjectClass.TRUCK,
    ObjectClass.ANIMAL,
    ObjectClass.BAG,
)
_NUMBERS = {kind: number for number, kind in enumerate(CLASSES)}


def pack_frames(first_ms: int, frames: Iterable[TrackedFrame]) -> bytes:
    """A version byte and the deflated frames, all at or after ``first_ms`` and within 49 days of it."""
    parts = []
    for frame in frames:
        kept = frame.objects[:MOST_OBJECTS]
        parts.append(FRAME.pack(frame.at_ms - first_ms, len(kept)))
        parts += [_pack_object(item) for item in kept]
    return bytes([VERSION]) + zlib.compress(b"".join(parts))


def unpack_frames(camera: int, first_ms: int, blob: bytes | memoryview) -> Iterator[TrackedFrame]:
    """The frames of a block; ValueError when it is cut, damaged, of another version or carries more."""
    data = _inflated(blob)
    at = 0
    try:
        while at < len(data):
            offset, count = FRAME.unpack_from(data, at)
            at += FRAME.size
            end = at + count * OBJECT.size
            objects = tuple(_unpack_object(data, place) for place in range(at, end, OBJECT.size))
            at = end
            yield TrackedFrame(camera, first_ms + offset, objects)
    except (struct.error, IndexError) as error:
        raise ValueError("a block of boxes is cut or damaged") from error


def _inflated(blob: bytes | memoryview) -> bytes:
    if bytes(blob[:1]) != bytes([VERSION]):
        raise ValueError("a block of boxes is of a version this program does not know")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(blob[1:], _LARGEST)
    except zlib.error as error:
        raise ValueError("a block of boxes is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("a block of boxes is cut, or carries more than boxes")
    return data


def _pack_object(item: TrackedObject) -> bytes:
    return OBJECT.pack(
        item.track & 0xFFFFFFFF,
        _NUMBERS[item.kind],
        round(min(max(item.score, 0.0), 1.0) * _SCORE),
        _place(item.box.left),
        _place(item.box.top),
        _place(item.box.right),
        _place(item.box.bottom),
        _STATIONARY if item.stationary else 0,
    )


def _unpack_object(data: bytes, at: int) -> TrackedObject:
    track, number, score, left, top, right, bottom, flags = OBJECT.unpack_from(data, at)
    if flags & ~_STATIONARY:
        raise ValueError("a block of boxes carries flags this program does not know")
    box = Box(left / _PLACE, top / _PLACE, right / _PLACE, bottom / _PLACE)
    return TrackedObject(track, CLASSES[number], score / _SCORE, box, bool(flags))


def _place(value: float) -> int:
    return round(min(max(value, 0.0), 1.0) * _PLACE)
