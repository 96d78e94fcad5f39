"""Boxes, the grammar of MP4: ``u32 size | 4 letters | payload``."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = struct.Struct(">I4s")
_FULL = struct.Struct(">I4sI")

VIDEO_TRACK = 1
AUDIO_TRACK = 2


class Mp4Error(ValueError):
    """These bytes are not a file of ours, or are damaged."""


def box(kind: bytes, *payload: bytes) -> bytes:
    """One box."""
    return b"".join((_HEADER.pack(8 + sum(map(len, payload)), kind), *payload))


def full_box(kind: bytes, version: int, flags: int, *payload: bytes) -> bytes:
    """One box with version and flags."""
    return b"".join((_FULL.pack(12 + sum(map(len, payload)), kind, version << 24 | flags), *payload))


def children(
    data: bytes | memoryview, start: int = 0, end: int | None = None
) -> Iterator[tuple[bytes, int, int]]:
    """(kind, payload start, payload end) of the boxes in a range; Mp4Error when they do not fill it."""
    position = start
    limit = len(data) if end is None else end
    while position < limit:
        if limit - position < 8:
            raise Mp4Error("a box is cut")
        size, kind = _HEADER.unpack_from(data, position)
        if size < 8 or position + size > limit:
            raise Mp4Error("a box reaches outside the one that holds it")
        yield bytes(kind), position + 8, position + size
        position += size


def find(
    data: bytes | memoryview, path: tuple[bytes, ...], start: int = 0, end: int | None = None
) -> tuple[int, int]:
    """Payload range of the first box at a path of kinds; Mp4Error when there is none."""
    for kind in path:
        for found, inner, stop in children(data, start, end):
            if found == kind:
                start, end = inner, stop
                break
        else:
            raise Mp4Error(f"there is no {kind.decode('latin-1')} box")
    return start, len(data) if end is None else end
