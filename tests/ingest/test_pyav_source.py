"""The fallback client: its errors in our words, and how it takes what FFmpeg gives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.clip import read_clip
from beholden.ingest import pyav
from beholden.ingest.pyav import PyAvSource
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress
from beholden.model.time import SystemClock

pytestmark = pytest.mark.rtsp
Until = Callable[..., None]


def _ends(address: StreamAddress, sink: Any, until: Until) -> SourceError:
    source = PyAvSource(address, sink, SystemClock())
    with pytest.raises(SourceError) as caught:
        until(lambda: source.poll(time.monotonic()), lambda: False)
    source.close()
    source.close()
    assert source.fileno() is None
    return caught.value


def test_a_login_is_used_and_its_failure_told(
    camera_factory: Any, clip_factory: Any, sink: Any, until: Until
) -> None:
    """Without the password in any text."""
    server = camera_factory([VirtualCamera("gate", clip_factory())], user="cam", password="p w/:@")
    wrong = _ends(StreamAddress(server.url("gate"), "cam", "secret-thing"), sink, until)
    assert wrong.code == "login_refused"
    assert "secret-thing" not in str(wrong)
    source = PyAvSource(StreamAddress(server.url("gate"), "cam", "p w/:@"), sink, SystemClock())
    assert not source.wants_write()
    until(lambda: source.poll(time.monotonic()), lambda: len(sink.video) >= 3)
    source.close()


def test_a_camera_that_ends_is_told(virtual_cameras: Any, sink: Any, until: Until) -> None:
    """After its pictures, or before any."""
    assert _ends(StreamAddress(virtual_cameras.url("lawn", drop=1)), sink, until).code == "camera_closed"
    assert len(sink.video) > 3
    assert _ends(StreamAddress(virtual_cameras.url("nowhere")), sink, until).code == "camera_closed"


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_parameter_sets_of_files_are_read(clip_factory: Callable[..., Path], codec: str) -> None:
    """The same that another reader of ours finds, and pictures cut at their lengths."""
    path = clip_factory(codec=codec)
    with av.open(str(path)) as container:
        extradata = bytes(container.streams.video[0].codec_context.extradata or b"")
        packet = next(packet for packet in container.demux(video=0) if packet.size)
        data = bytes(packet)
    read = pyav._avcc_sets if codec == "h264" else pyav._hvcc_sets
    assert set(read_clip(path).video.parameter_sets) <= set(read(extradata))
    assert read(extradata[:-3]) is not None
    assert read(b"\x01") == []
    nals = pyav._split_lengths(data, 4)
    assert sum(4 + len(nal) for nal in nals) == len(data)
    assert pyav._split_lengths(data[:-1], 4) == nals[:-1]
    assert pyav._split_annex_b(b"\0\0\0\1" + b"\0\0\1".join(nals)) == [nal.rstrip(b"\0") for nal in nals]
