"""Spans as one MP4: exact bounds, every picture, the size that was promised, no decoder complaint."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from beholden.demo.synthetic import read_frame_number
from beholden.model.access import Action
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.time import FakeClock
from beholden.play import mp4
from beholden.play.spans import Spans

START_MS = 1_767_225_600_000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")


class Leave:
    """Notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[Action, ...]]] = []

    def require(self, camera: int, *actions: Action) -> None:
        """Grant it."""
        self.asked.append((camera, actions))


def plan(archive: Any, start: int = 0, end: int = 60_000) -> mp4.SpanFile:
    """The plan of a stretch, in milliseconds from the archive's start."""
    return mp4.plan_span(archive.footage, archive.camera, START_MS + start, START_MS + end)


def fetch(span: mp4.SpanFile) -> bytes:
    """All of it."""
    data = b"".join(span.pieces(Leave()))
    assert len(data) == span.size
    return data


def frames(data: bytes, kind: str = "video") -> list[Any]:
    """Decoded frames of one kind that a player shows."""
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(container.streams.best(kind)))


def numbers(data: bytes) -> list[int | None]:
    """The numbers burnt into the pictures a player shows."""
    return [read_frame_number(frame.to_ndarray(format="gray")) for frame in frames(data)]


def times(shown: list[Any]) -> list[float]:
    """Their presentation times in seconds."""
    return [float(frame.pts * frame.time_base) for frame in shown]


def probed(path: Path, data: bytes) -> dict[str, Any]:
    """What ffprobe and a whole decoding by ffmpeg say; neither may complain."""
    path.write_bytes(data)
    command = ["ffprobe", "-v", "warning", "-count_frames", "-show_streams", "-show_format", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if "deprecated pixel" not in line] == []
    quiet = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    assert subprocess.run(quiet, capture_output=True, text=True, check=True).stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_two_files_become_one_with_every_picture_in_order(archive: Any, clip_factory: Any) -> None:
    """Numbers run on over the seam, times are evenly spaced from 0, and the length is stated."""
    archive.record(clip_factory(audio="aac"))
    archive.record(clip_factory(audio="aac"), START_MS + 2000)
    span = plan(archive)
    data = fetch(span)
    assert numbers(data) == [*range(20)] * 2
    assert times(frames(data)) == pytest.approx([n / 10 for n in range(40)], abs=1e-4)
    with av.open(io.BytesIO(data)) as container:
        assert container.duration == pytest.approx(4_000_000, abs=1000)
    assert span.duration_ms == 4000
    assert len(frames(data, "audio")) > 0


def test_it_begins_with_the_picture_that_was_on_the_screen(archive: Any, clip_factory: Any) -> None:
    """Between two pictures the one before is shown; sound begins with it."""
    archive.record(clip_factory(seconds=4, audio="pcmu"))
    span = plan(archive, 1250, 2460)
    data = fetch(span)
    assert numbers(data) == [*range(12, 25)]
    assert (span.start_ms, span.duration_ms) == (START_MS + 1200, 1260)
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.audio[0].start_time == 0


@pytest.mark.parametrize(("start", "end"), [(1500, 2500), (1000, 2000), (700, 3100), (0, 100), (3900, 4000)])
def test_it_shows_exactly_what_was_asked(archive: Any, clip_factory: Any, start: int, end: int) -> None:
    """The first picture shown is the one of the start, though the file begins with the keyframe before it;
    the last is the one before the end, and nothing later is even in the file."""
    archive.record(clip_factory(seconds=4, audio="pcmu"))
    span = plan(archive, start, end)
    data = fetch(span)
    assert numbers(data) == [*range(start // 100, end // 100)]
    assert times(frames(data))[0] == pytest.approx(0.0, abs=1e-4)
    assert (span.start_ms, span.end_ms) == (START_MS + start, START_MS + end)
    assert span.first_ms == START_MS + start // 1000 * 1000
    assert span.duration_ms == end - start
    with av.open(io.BytesIO(data)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert len(packets) == (end - start // 1000 * 1000) // 100
        assert container.duration == pytest.approx((end - start) * 1000, abs=200)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("video", "audio"),
    [("h264", "aac"), ("h265", "opus"), ("av1", "aac"), ("av1", "l16"), ("mjpeg", "pcma"), ("h264", "none")],
)
def test_every_kind_downloads_and_plays_elsewhere(
    archive: Any, clip_factory: Any, tmp_path: Path, video: str, audio: str
) -> None:
    """As it was recorded; ffprobe counts the pictures and knows the length."""
    archive.record(clip_factory(codec=video, audio=audio, height=192, seconds=4))
    found = probed(tmp_path / "x.mp4", fetch(plan(archive, 1000, 3500)))
    streams = {stream["codec_type"]: stream for stream in found["streams"]}
    assert streams["video"]["codec_name"] == {"h265": "hevc"}.get(video, video)
    assert int(streams["video"]["nb_read_frames"]) == 25
    assert float(streams["video"]["duration"]) == pytest.approx(2.5, abs=0.001)
    assert ("audio" in streams) == (audio != "none")


def test_any_part_of_it_is_the_same_bytes(archive: Any, clip_factory: Any) -> None:
    """Whatever is asked for, by whoever plans it, at whatever offset."""
    for turn in range(3):
        archive.record(clip_factory(audio="aac"), START_MS + turn * 2000)
    whole, again = fetch(plan(archive, 500, 5500)), plan(archive, 500, 5500)
    chance = random.Random(4)
    for _ in range(200):
        at = chance.randrange(len(whole))
        count = chance.choice([1, 100, 5000, len(whole)])
        assert again.read(Leave(), at, count) == whole[at : at + count]
    assert again.read(Leave(), len(whole), 10) == b""
    assert plan(archive, 500, 5500).etag == again.etag
    assert plan(archive, 601, 5500).etag != again.etag


@pytest.mark.parametrize("audio", ["none", "aac", "pcmu", "opus"])
def test_a_gap_is_closed_up(archive: Any, clip_factory: Any, audio: str) -> None:
    """No hole in the times, no step backwards in either track, and the number of gaps is said."""
    archive.record(clip_factory(audio=audio))
    archive.record(clip_factory(audio=audio), START_MS + 30_000)
    span = plan(archive)
    assert (span.gaps, span.duration_ms) == (1, 4000)
    data = fetch(span)
    assert len(frames(data)) == 40
    with av.open(io.BytesIO(data)) as container:
        last: dict[int, float] = {}
        for packet in container.demux():
            if packet.dts is None or not packet.size:
                continue
            at = float(packet.dts * packet.time_base)
            assert at > last.get(packet.stream_index, -1.0)
            assert at - last.get(packet.stream_index, at) < 0.5
            last[packet.stream_index] = at
    assert max(last.values()) < 4.1


def test_it_ends_on_the_far_side_of_a_gap(archive: Any, clip_factory: Any) -> None:
    """Bounds are those of the wall clock on either side."""
    archive.record(clip_factory(audio="aac"))
    archive.record(clip_factory(audio="aac"), START_MS + 30_000)
    span = plan(archive, 1500, 30_500)
    assert numbers(fetch(span)) == [15, 16, 17, 18, 19, 0, 1, 2, 3, 4]
    assert (span.start_ms, span.end_ms, span.duration_ms) == (START_MS + 1500, START_MS + 30_500, 1000)


@needs_ffmpeg
@pytest.mark.parametrize("video", ["h264", "h265", "av1", "mjpeg"])
def test_a_change_of_picture_size_is_followed(
    archive: Any, clip_factory: Any, tmp_path: Path, video: str
) -> None:
    """One track with two sample descriptions: every picture decodes, in its own size."""
    archive.record(clip_factory(codec=video, height=192, audio="aac"))
    archive.record(clip_factory(codec=video, width=480, height=272, audio="aac"), START_MS + 2000)
    archive.record(clip_factory(codec=video, height=192, audio="aac"), START_MS + 4000)
    data = fetch(plan(archive, 1000, 5500))
    shown = frames(data)
    assert numbers(data) == [*range(10, 20), *range(20), *range(15)]
    assert [frame.width for frame in shown] == [320] * 10 + [480] * 20 + [320] * 15
    found = probed(tmp_path / "x.mp4", data)
    assert int(found["streams"][0]["nb_read_frames"]) == 45
    assert float(found["format"]["duration"]) == pytest.approx(4.5, abs=0.02)


def test_sound_that_comes_goes_and_changes_is_kept(archive: Any, clip_factory: Any) -> None:
    """Without sound, then G.711, then AAC: each kind has its own track, at its own time."""
    archive.record(clip_factory())
    archive.record(clip_factory(audio="pcmu"), START_MS + 2000)
    archive.record(clip_factory(audio="aac"), START_MS + 4000)
    data = fetch(plan(archive))
    assert times(frames(data)) == pytest.approx([n / 10 for n in range(60)], abs=1e-4)
    with av.open(io.BytesIO(data)) as container:
        kinds = [
            (stream.codec_context.name, float(stream.start_time * stream.time_base))
            for stream in container.streams.audio
        ]
    assert [name for name, _ in kinds] == ["pcm_mulaw", "aac"]
    assert [at for _, at in kinds] == pytest.approx([2.0, 4.0], abs=0.07)


def test_a_change_of_codec_is_refused_with_the_parts(archive: Any, clip_factory: Any) -> None:
    """What one file cannot hold is told with the moment; its parts can be had, and add up to the whole."""
    archive.record(clip_factory())
    archive.record(clip_factory(codec="h265"), START_MS + 2000)
    archive.record(clip_factory(codec="av1"), START_MS + 4000)
    with pytest.raises(BeholdenError) as caught:
        plan(archive)
    assert caught.value.code == "format_changed"
    assert "H.264 to H.265" in caught.value.message
    assert "2026-01-01T00:00:02.000Z" in caught.value.next_step
    parts = mp4.span_parts(archive.footage, archive.camera, START_MS + 500, START_MS + 5500)
    assert [part.codec for part in parts] == ["h264", "h265", "av1"]
    assert [part.start_ms - START_MS for part in parts] == [500, 2000, 4000]
    assert [part.end_ms - START_MS for part in parts] == [2000, 4000, 5500]
    shown = [numbers(fetch(plan(archive, a - START_MS, b - START_MS))) for a, b, _ in parts]
    assert [number for some in shown for number in some] == [*range(5, 20), *range(20), *range(15)]


def test_gops_of_several_fragments_and_h265_download_as_they_are(archive: Any, clip_factory: Any) -> None:
    """Nothing is re-encoded."""
    archive.record(clip_factory(codec="h265", gop=20, seconds=4), fragment_ms=500)
    data = fetch(plan(archive, 1000, 3000))
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert numbers(data) == [*range(10, 30)]


def test_players_can_seek_in_it(archive: Any, clip_factory: Any) -> None:
    """By the tables at its head."""
    archive.record(clip_factory(), rounds=5)
    with av.open(io.BytesIO(fetch(plan(archive)))) as container:
        stream = container.streams.video[0]
        container.seek(round(7 / stream.time_base), stream=stream)
        frame = next(container.decode(stream))
        assert float(frame.pts * frame.time_base) == pytest.approx(7.0, abs=0.01)


def test_a_recording_that_is_still_written_is_taken_as_far_as_it_is_whole(
    archive: Any, clip_factory: Any
) -> None:
    """Its newest GOP may still grow and is left out."""
    archive.record(clip_factory(seconds=4), growing=True)
    span = plan(archive)
    assert span.growing
    assert numbers(fetch(span)) == [*range(30)]


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [(-9000, -8000, "not_recorded"), (9, 9, "bad_range"), (0, 25 * 3_600_000, "bad_range")],
)
def test_nothing_to_download_is_told(archive: Any, start: int, end: int, code: str) -> None:
    """Before anything is sent."""
    with pytest.raises(BeholdenError) as caught:
        plan(archive, start, end)
    assert caught.value.code == code


def test_a_file_that_vanishes_is_told(archive: Any, clip_factory: Any) -> None:
    """While it is planned, and while it is read."""
    key = archive.record(clip_factory())
    span = plan(archive)
    archive.volume.path_of(key).unlink()
    for attempt in (lambda: plan(archive), lambda: fetch(span)):
        with pytest.raises(BeholdenError) as caught:
            attempt()
        assert caught.value.code == "not_recorded"


@pytest.mark.parametrize("where", [0, 30, 60])
def test_a_damaged_fragment_is_left_out_and_counted(archive: Any, clip_factory: Any, where: int) -> None:
    """Its GOP is a gap; the rest is there. When nothing is whole, that is told."""
    path = archive.volume.path_of(archive.record(clip_factory(seconds=4, audio="aac")))
    recording = archive.footage.between(archive.camera, StreamRole.MAIN, START_MS, START_MS + 1)[0]
    gops = recording.gops()
    with path.open("r+b") as file:
        file.seek(gops[1].offset + where)
        file.write(b"\xff" * 40)
    span = plan(archive)
    assert span.gaps == 1
    assert numbers(fetch(span)) == [*range(10), *range(20, 40)]
    with pytest.raises(BeholdenError) as caught:
        plan(archive, 1100, 1900)
    assert caught.value.code == "not_recorded"


def test_bytes_come_only_with_leave(archive: Any, clip_factory: Any) -> None:
    """The pass is asked before every part."""
    archive.record(clip_factory())
    leave = Leave()
    plan(archive).read(leave, 0, 1)
    assert leave.asked == [(archive.camera, (Action.DOWNLOAD, Action.PLAYBACK))]


def test_plans_are_kept_for_a_minute_unless_they_grow(archive: Any, clip_factory: Any) -> None:
    """A player asks for parts of a file again and again; what is still recorded is looked at anew."""
    archive.record(clip_factory())
    clock = FakeClock()
    spans = Spans(archive.footage, clock)
    first = spans.get(archive.camera, START_MS, START_MS + 9000)
    assert spans.get(archive.camera, START_MS, START_MS + 9000) is first
    clock.advance(61)
    assert spans.get(archive.camera, START_MS, START_MS + 9000) is not first
    archive.record(clip_factory(), START_MS + 20_000, growing=True)
    growing = spans.get(archive.camera, START_MS + 20_000, START_MS + 29_000)
    assert spans.get(archive.camera, START_MS + 20_000, START_MS + 29_000) is not growing
    small = Spans(archive.footage, clock, kept_bytes=10)
    assert small.get(archive.camera, START_MS, START_MS + 9000).size == first.size


def test_memory_is_bounded_by_what_is_asked_for(archive: Any, clip_factory: Any) -> None:
    """No piece is larger than a mebibyte."""
    archive.record(clip_factory(width=640, height=352, noise=12, bitrate=8_000_000), rounds=4)
    span = plan(archive)
    assert span.size > 4 * mp4.PIECE_BYTES
    assert {len(piece) for piece in span.pieces(Leave())} <= {mp4.PIECE_BYTES, span.size % mp4.PIECE_BYTES}


def test_pictures_out_of_order_are_shown_in_order(archive: Any, clip_factory: Any) -> None:
    """B-pictures keep their composition offsets; the bounds are those of showing, not of decoding."""
    clip = clip_factory(seconds=4)
    with av.open(str(clip)) as source, av.open(str(clip) + ".b.mp4", "w") as target:
        stream = target.add_stream("libx264", rate=10, options={"bf": "2", "g": "10", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 10), 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    archive.record(Path(str(clip) + ".b.mp4"))
    data = fetch(plan(archive, 1500, 2500))
    found = numbers(data)
    assert found == sorted(found)
    assert np.array_equal(found[:10], [*range(15, 25)])


def test_names_of_files() -> None:
    """Whatever a camera is called."""
    assert mp4.file_name("Front door / 2", "2026-11-23_22-15-04") == "Front-door-2_2026-11-23_22-15-04.mp4"
    assert mp4.file_name("../..", "t") == "camera_t.mp4"
    assert mp4.file_name("Tür 東", "t") == "Tür-東_t.mp4"
