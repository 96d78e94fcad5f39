"""Drawn clips: the number burnt into a picture survives coding and scaling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.demo import synthetic


def _numbers(path: Path) -> list[int | None]:
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [synthetic.read_frame_number(frame.to_ndarray(format="bgr24")) for frame in frames]


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("audio", ["none", "aac", "pcmu", "pcma", "opus"])
def test_every_picture_tells_its_number_after_coding(
    clip_factory: Callable[..., Path], codec: str, audio: str
) -> None:
    """Whatever the codec and audio, all 20 pictures of a 2 s clip at 10 fps are there, in order."""
    assert _numbers(clip_factory(codec=codec, audio=audio)) == list(range(20))


@given(number=st.integers(0, 65535), width=st.sampled_from([160, 320, 640, 1280]))
def test_any_number_is_read_back_at_any_size(number: int, width: int) -> None:
    """The bar holds 16 bits, and halving the picture does not spoil them."""
    picture = np.full((width * 9 // 16, width, 3), 128, np.uint8)
    synthetic.draw_frame_number(picture, number)
    half = cv2.resize(picture, (width // 2, width * 9 // 32), interpolation=cv2.INTER_AREA)
    assert synthetic.read_frame_number(picture) == number
    assert synthetic.read_frame_number(np.asarray(half, np.uint8)) == number
    assert synthetic.read_frame_number(picture[:, :, 0]) == number


def test_a_picture_without_a_bar_has_no_number() -> None:
    """Grey is not number 0."""
    assert synthetic.read_frame_number(np.full((90, 160, 3), 128, np.uint8)) is None


def test_a_clip_is_made_once(tmp_path: Path) -> None:
    """The same choice gives the same file, untouched; another choice another file; no temporary files
    stay."""
    first = synthetic.synthetic_clip(tmp_path, width=160, height=90, seconds=0.5)
    made = first.stat().st_mtime_ns
    assert synthetic.synthetic_clip(tmp_path, width=160, height=90, seconds=0.5) == first
    assert first.stat().st_mtime_ns == made
    other = synthetic.synthetic_clip(tmp_path, width=160, height=90, seconds=0.5, codec="h265")
    assert sorted(tmp_path.iterdir()) == sorted([first, other])
    assert first != other


def test_keyframes_come_when_asked(clip_factory: Callable[..., Path]) -> None:
    """``gop`` is the distance of keyframes in pictures, and there are no B-pictures."""
    with av.open(str(clip_factory(gop=5))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [i for i, packet in enumerate(packets) if packet.is_keyframe] == [0, 5, 10, 15]
    assert all(packet.pts == packet.dts for packet in packets)
