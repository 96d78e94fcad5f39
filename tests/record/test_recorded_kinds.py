"""Every kind of stream, from a virtual camera over real RTSP to a file, read back by programs not ours.

The camera's pictures carry their numbers, so what was kept is compared with what was sent, one by one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.synthetic import read_frame_number
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.session import StreamSession
from beholden.model.camera import StreamAddress, StreamRole
from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import SystemClock
from beholden.record.disk import DiskTrouble, DiskWriter, SegmentFile
from beholden.record.fmp4 import parse_init, walk
from beholden.record.segment import SegmentWriter
from beholden.store.volume import Volume

PICTURES = 25
HEIGHT = 192  # of whole blocks, as Motion JPEG over RTP has it
FFMPEG_VIDEO = {"h264": "h264", "h265": "hevc", "av1": "av1", "mjpeg": "mjpeg"}
FFMPEG_AUDIO = {"aac": "aac", "pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "opus": "opus", "l16": "pcm_s16be"}
KINDS = [
    ("h264", "aac"),
    ("h265", "opus"),
    ("av1", "none"),
    ("av1", "aac"),
    ("av1", "l16"),
    ("mjpeg", "none"),
    ("mjpeg", "pcma"),
    ("h264", "l16"),
    ("h264", "pcmu"),
]
# What ffmpeg remarks on of its own conversion, not of the file.
REMARKS = ("deprecated pixel format", "Guessed Channel Layout")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")


class Recording:
    """A sink that writes one stream's files as a recorder does."""

    def __init__(self, path: Path) -> None:
        self.volume = Volume.create(path)
        self.files: list[SegmentFile] = []
        self.units: list[AccessUnit] = []
        self.kinds: list[str] = []
        self.since_change = 0
        self.disk = DiskWriter(self.volume, self.files.append)
        self.writer = SegmentWriter(1, StreamRole.MAIN, self.disk, self)

    def on_format(self, stream_format: StreamFormat) -> None:
        self.kinds.append(stream_format.video.codec)
        self.since_change = 0
        self.writer.set_format(stream_format)

    def on_access_unit(self, unit: AccessUnit) -> None:
        self.units.append(unit)
        self.since_change += 1
        self.writer.add(unit)

    def on_discontinuity(self) -> None:
        self.writer.end_file()

    def file_begins(self, _kept_tick: int, _start_tick: int, _silent_ms: int) -> bool:
        return False

    def disk_troubled(self, trouble: DiskTrouble, _end_tick: int, _landed: bool) -> None:
        raise AssertionError(trouble.error)

    def file_landed(self, _file: SegmentFile) -> None: ...

    def file_lost(self, file: SegmentFile) -> None:
        raise AssertionError(file.key)

    def finish(self) -> list[Path]:
        """The files, whole."""
        self.writer.end_file()
        assert self.disk.stop(20)
        return [self.volume.path_of(file.key) for file in self.files]

    @property
    def pictures(self) -> int:
        return sum(unit.track is Track.VIDEO for unit in self.units)


def record(url: str, path: Path, until: Callable[..., None], pictures: int = PICTURES) -> Recording:
    """Pull a camera until so many pictures came, and end the file."""
    sink = Recording(path)
    source = RtspSource(StreamAddress(url), sink, SystemClock())
    until(lambda: source.poll(time.monotonic()), lambda: sink.pictures >= pictures)
    source.close()
    assert source.status.lost_packets == 0
    return sink


@pytest.fixture
def until() -> Callable[..., None]:
    """``until(step, condition)`` → run the step until the condition holds."""

    def run(step: Callable[[], None], condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            step()
            time.sleep(0.01)

    return run


def numbers_in(path: Path) -> list[int | None]:
    """The numbers burnt into the pictures PyAV decodes."""
    with av.open(str(path)) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def probed(path: Path) -> dict[str, dict[str, Any]]:
    """What ffprobe says of the streams, with the frames it decoded, by kind; it must not complain."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {stream["codec_type"]: stream for stream in json.loads(done.stdout)["streams"]}


@pytest.mark.rtsp
@needs_ffmpeg
@pytest.mark.parametrize(("video", "audio"), KINDS)
def test_every_kind_is_kept_whole_and_read_by_others(
    camera_factory: Any, clip_factory: Any, until: Any, tmp_path: Path, video: str, audio: str
) -> None:
    """Each picture sent is in the file once, in order; ffprobe and ffmpeg decode all of it without a word."""
    clip = clip_factory(codec=video, audio=audio, height=HEIGHT)
    server = camera_factory([VirtualCamera("one", clip)])
    sink = record(server.url("one"), tmp_path / "v", until)
    (path,) = sink.finish()
    sent = [picture.number for picture in server.sent_pictures("one")][: sink.pictures]
    assert numbers_in(path) == sent
    found = probed(path)
    assert found["video"]["codec_name"] == FFMPEG_VIDEO[video]
    assert int(found["video"]["nb_read_frames"]) == len(sent)
    assert (found["video"]["width"], found["video"]["height"]) == (320, HEIGHT)
    if audio == "none":
        assert "audio" not in found
    else:
        assert found["audio"]["codec_name"] == FFMPEG_AUDIO[audio]
        assert int(found["audio"]["nb_read_frames"]) > 0
    done = subprocess.run(
        ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    complaints = [line for line in done.stderr.splitlines() if not any(word in line for word in REMARKS)]
    assert complaints == []


@pytest.mark.rtsp
@pytest.mark.parametrize("audio", ["l16", "pcmu"])
def test_every_sample_of_sound_is_kept(
    camera_factory: Any, clip_factory: Any, until: Any, tmp_path: Path, audio: str
) -> None:
    """What PyAV decodes from the file are the camera's own samples, bit for bit."""
    clip = clip_factory(audio=audio)
    server = camera_factory([VirtualCamera("one", clip)])
    (path,) = record(server.url("one"), tmp_path / "v", until).finish()
    kept = _sound(path)
    original = _sound(clip)
    start = original.find(kept[:400])
    assert start >= 0
    length = min(len(kept), len(original) - start)
    assert length > 8000
    assert kept[:length] == original[start : start + length]


def _sound(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))


@pytest.mark.rtsp
@pytest.mark.parametrize("video", ["av1", "mjpeg"])
def test_the_new_kinds_have_few_fragments_that_begin_with_a_keyframe_where_all_are(
    camera_factory: Any, clip_factory: Any, until: Any, tmp_path: Path, video: str
) -> None:
    """Nothing but keyframes does not make a fragment of every picture; the format is read back."""
    server = camera_factory([VirtualCamera("one", clip_factory(codec=video, height=HEIGHT))])
    sink = record(server.url("one"), tmp_path / "v", until)
    (path,) = sink.finish()
    layout = walk(path.read_bytes())
    assert parse_init(layout.init) == sink.files[0].stream_format
    assert len(layout.fragments) <= sink.pictures // 5 + 1
    keys = sum(ref.entry.flags & 1 for ref in layout.fragments)
    assert keys == len(layout.fragments) if video == "mjpeg" else keys >= sink.pictures // 10


@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("before", "after"), [("h264", "av1"), ("av1", "h265"), ("h265", "mjpeg"), ("mjpeg", "h264")]
)
def test_a_new_codec_begins_a_new_file(
    camera_factory: Any, clip_factory: Any, until: Any, tmp_path: Path, before: str, after: str
) -> None:
    """In mid-stream: the session is described anew, and both files are whole and of their own kind."""
    clips = [clip_factory(codec=codec, height=HEIGHT) for codec in (before, after)]
    server = camera_factory([VirtualCamera("one", clips[0]), VirtualCamera("two", clips[1])])
    sink = Recording(tmp_path / "v")
    address = StreamAddress(server.url("one", recode="2:two"))
    session = StreamSession(address, sink, SystemClock(), stall_seconds=3.0, random=lambda: 0.1)
    until(
        lambda: session.poll(time.monotonic()),
        lambda: sink.kinds[-1:] == [after] and sink.since_change > 15,
    )
    session.close()
    first, *_, last = sink.finish()
    assert [file.stream_format.video.codec for file in (sink.files[0], sink.files[-1])] == [before, after]
    for path in (first, last):
        numbers = numbers_in(path)
        assert len(numbers) > 5
        assert None not in numbers


@pytest.mark.rtsp
@pytest.mark.parametrize("video", ["h264", "av1", "mjpeg"])
def test_a_new_picture_size_begins_a_new_file(
    camera_factory: Any, clip_factory: Any, until: Any, tmp_path: Path, video: str
) -> None:
    """In mid-stream, without a lost picture: the old file ends with the last old one, the new one begins with
    the first new one."""
    small, large = (clip_factory(codec=video, width=w, height=h) for w, h in ((320, HEIGHT), (480, 272)))
    server = camera_factory([VirtualCamera("one", small), VirtualCamera("two", large)])
    sink = record(server.url("one", swap="1:two"), tmp_path / "v", until, 40)
    first, second = sink.finish()
    assert [file.stream_format.video.width for file in sink.files] == [320, 480]
    before, after = numbers_in(first), numbers_in(second)
    assert len(before) + len(after) == sink.pictures
    assert None not in before + after
    assert parse_init(walk(second.read_bytes()).init).video.height == 272
