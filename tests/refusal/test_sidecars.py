"""What is kept of each picture beside the footage has room for boxes of things, none for people."""

from __future__ import annotations

import dataclasses
import zlib

import pytest

from beholden.model.boxes import FRAME, OBJECT, VERSION, pack_frames, unpack_frames
from beholden.model.event import Box, ObjectClass
from beholden.model.frame import TrackedFrame, TrackedObject
from beholden.store.sidecars import SideKind

T0 = 1_795_472_104_250
PERSON = TrackedObject(7, ObjectClass.PERSON, 0.5, Box(0.1, 0.2, 0.3, 0.4), stationary=False)


def test_a_box_is_all_there_is() -> None:
    """Every field is a number, a yes or no, or one of a closed list of classes."""
    assert [field.name for field in dataclasses.fields(TrackedFrame)] == ["camera", "at_ms", "objects"]
    assert {field.name: field.type for field in dataclasses.fields(TrackedObject)} == {
        "track": "int",
        "kind": "ObjectClass",
        "score": "float",
        "box": "Box",
        "stationary": "bool",
    }
    assert [field.name for field in dataclasses.fields(Box)] == ["left", "top", "right", "bottom"]
    assert {kind.name for kind in SideKind} == {"MOTION", "BOXES", "SOUND"}


def test_on_disk_an_object_is_fifteen_bytes() -> None:
    """u32 track, u8 class, u8 score, four u16 of the box, u8 flags; no text, no list of numbers."""
    assert (FRAME.format, OBJECT.format) == (">IB", ">IBBHHHHB")
    blob = pack_frames(T0, [TrackedFrame(1, T0, (PERSON,) * 3)])
    assert blob[0] == VERSION
    assert len(zlib.decompress(blob[1:])) == FRAME.size + 3 * OBJECT.size


@pytest.mark.parametrize("extra", [b"\x00" * 128, b"\x3f\x80\x00\x00" * 16, b"name"])
def test_more_is_refused(extra: bytes) -> None:
    """A vector or a text behind the boxes makes the block unreadable, wherever it is put."""
    blob = pack_frames(T0, [TrackedFrame(1, T0, (PERSON,))])
    plain = zlib.decompress(blob[1:])
    assert len(list(unpack_frames(1, T0, blob))) == 1
    with pytest.raises(ValueError, match="more than boxes"):
        list(unpack_frames(1, T0, blob + extra))
    with pytest.raises(ValueError, match=r"cut or damaged|flags"):
        list(unpack_frames(1, T0, blob[:1] + zlib.compress(plain[:5] + extra[:14])))


def test_unused_bits_stay_unused() -> None:
    """Seven of the eight flags mean nothing, and a block that sets one is refused."""
    plain = bytearray(zlib.decompress(pack_frames(T0, [TrackedFrame(1, T0, (PERSON,))])[1:]))
    plain[-1] |= 2
    with pytest.raises(ValueError, match="flags"):
        list(unpack_frames(1, T0, bytes([VERSION]) + zlib.compress(bytes(plain))))
