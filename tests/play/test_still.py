"""Stills: the right picture of an instant, and of a keyframe just received."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest

from beholden.demo.synthetic import read_frame_number
from beholden.model.errors import BeholdenError
from beholden.play import still
from beholden.play.workshop import InlineWorkshop

START_MS = 1_767_225_600_000


class Leave:
    """Grants all."""

    def require(self, camera: int, *actions: Any) -> None:
        """Yes."""


def number_in(jpeg: bytes) -> int | None:
    """The number burnt into a JPEG."""
    with av.open(io.BytesIO(jpeg), format="mjpeg") as container:
        return read_frame_number(next(container.decode(video=0)).to_ndarray(format="gray"))


@pytest.mark.parametrize(("after", "number"), [(0, 0), (99, 0), (100, 1), (1250, 12), (1999, 19), (5000, 19)])
@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_the_newest_picture_not_after_the_instant(
    archive: Any, clip_factory: Any, codec: str, after: int, number: int
) -> None:
    """At 10 pictures a second, picture n is shown from n * 100 ms on; the last one for up to ten seconds."""
    archive.record(clip_factory(codec=codec))
    at_ms = START_MS + after
    found = still.find(archive.footage, archive.camera, at_ms)
    jpeg = await still.still_at(*found, at_ms, InlineWorkshop(), Leave())
    assert number_in(jpeg) == number


async def test_the_gop_being_written_counts(archive: Any, clip_factory: Any) -> None:
    """A still of a second ago is wanted more often than any other."""
    archive.record(clip_factory(), growing=True)
    found = still.find(archive.footage, archive.camera, START_MS + 1550)
    jpeg = await still.still_at(*found, START_MS + 1550, InlineWorkshop(), Leave())
    assert number_in(jpeg) == 15


@pytest.mark.parametrize("after", [-1, 60_000])
def test_no_picture_near_is_told(archive: Any, clip_factory: Any, after: int) -> None:
    """Rather than one of another time."""
    archive.record(clip_factory())
    with pytest.raises(BeholdenError) as caught:
        still.find(archive.footage, archive.camera, START_MS + after)
    assert caught.value.code == "not_recorded"


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_keyframe_from_a_camera_becomes_a_jpeg(clip_factory: Any, recorder_units: Any, codec: str) -> None:
    """In a process of its own, from the sample as the recorder has it."""
    coded = recorder_units(clip_factory(codec=codec))
    jpeg = still.decode_key(coded.format, coded.units[0].data())
    assert number_in(jpeg) == 0


def test_a_broken_keyframe_is_told(clip_factory: Any, recorder_units: Any) -> None:
    """In words, from the process that failed on it."""
    coded = recorder_units(clip_factory())
    with pytest.raises(BeholdenError) as caught:
        still.decode_key(coded.format, b"\0\0\0\4junk")
    assert caught.value.code == "not_decodable"
