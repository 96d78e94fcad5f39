"""Conversions: right pictures, every audio sample, the same times."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.demo.synthetic import read_frame_number
from beholden.model.errors import BeholdenError
from beholden.play.ability import Ability, Rendition, choose
from beholden.play.convert import convert, converted_init
from beholden.play.flac import FlacConverter, decode_g711
from beholden.play.fragments import Run, Sample, build_fragment, by_track, read_fragments
from beholden.play.picture import H264Encoder, blank, browser_size
from beholden.play.tracks import build_init, parse_init
from beholden.record.fmp4 import Mp4Error

GOOD_DB = 30.0


def decoded(data: bytes, kind: str) -> Iterator[Any]:
    """The frames of one kind of an MP4."""
    with av.open(io.BytesIO(data)) as container:
        yield from container.decode(container.streams.best(kind))


def gop(archive: Any, clip: Path, number: int = 0, **choice: Any) -> tuple[bytes, bytes]:
    """(init, fragments) of one recorded GOP."""
    recording = archive.footage.get(archive.record(clip, **choice))
    found = recording.gops()[number]
    data = recording.path.read_bytes()
    return recording.media.init, data[found.offset : found.offset + found.size]


def psnr(one: Any, other: Any) -> float:
    """Peak signal-to-noise ratio of two luma pictures, dB."""
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else 99.0


def luma(frame: Any) -> Any:
    """The luma plane."""
    return frame.to_ndarray(format="gray")


def test_h265_becomes_h264_of_the_same_pictures_and_times(archive: Any, clip_factory: Any) -> None:
    """Frame for frame: number read, picture close, presentation time equal."""
    init, data = gop(archive, clip_factory(codec="h265", audio="aac"), 1)
    way = Rendition("h264", "copy")
    made = converted_init(init, way) + convert(init, data, way)
    source, result = list(decoded(init + data, "video")), list(decoded(made, "video"))
    assert len(source) == len(result) == 10
    assert [f.pts * f.time_base for f in source] == [f.pts * f.time_base for f in result]
    for before, after in zip(source, result, strict=True):
        assert psnr(luma(before), luma(after)) > GOOD_DB
        assert read_frame_number(luma(before)) == read_frame_number(luma(after))
    first = by_track(read_fragments(convert(init, data, way)))[1]
    assert [sample.key for sample in first.samples] == [True] + [False] * 9


@pytest.mark.parametrize("codec", ["av1", "mjpeg"])
def test_av1_and_motion_jpeg_become_h264_too(archive: Any, clip_factory: Any, codec: str) -> None:
    """Every picture, recognisable, at its time."""
    init, data = gop(archive, clip_factory(codec=codec, height=192), fragment_ms=500)
    way = choose(Ability.parse("avc1"), "mp4v.6C" if codec == "mjpeg" else "av01.0.00M.08", None)
    assert way.video == "h264"
    made = converted_init(init, way) + convert(init, data, way)
    source, result = list(decoded(init + data, "video")), list(decoded(made, "video"))
    assert [f.pts * f.time_base for f in source] == [f.pts * f.time_base for f in result]
    assert len(source) > 0
    for before, after in zip(source, result, strict=True):
        assert read_frame_number(luma(before)) == read_frame_number(luma(after)) is not None


def test_no_picture_waits_for_the_next_one() -> None:
    """At uneven times: a live view would be behind by a picture, which may be a second."""
    encoder = H264Encoder(320, 192)
    times = [90_000 * 10**6 + n * n * 900 for n in range(6)]
    for number, at in enumerate(times):
        ((coded, key, data),) = encoder.encode(blank(320, 192, 60 + 9 * number), at, key=number in (0, 4))
        assert (coded, key, data != b"") == (at, number in (0, 4), True)
    assert encoder.rest() == []


def test_a_browser_that_plays_av1_gets_it_as_it_is() -> None:
    """And one that says MPEG-4 video is not given Motion JPEG, whose name begins alike."""
    assert choose(Ability.parse("avc1,av01"), "av01.0.04M.08", None).as_recorded
    assert choose(Ability.parse("avc1,mp4v.20.9"), "mp4v.6C", None).video == "h264"
    assert choose(Ability.parse("mp4v.6C"), "mp4v.6C", None).as_recorded


def test_l16_becomes_flac_sample_for_sample(archive: Any, clip_factory: Any) -> None:
    """Lossless, so the samples are equal."""
    way = choose(Ability.parse("avc1,flac"), "avc1.640028", "twos")
    assert way == Rendition("copy", "flac")
    recording = archive.footage.get(archive.record(clip_factory(audio="l16", seconds=4)))
    init, made, before = recording.media.init, b"", b""
    data = recording.path.read_bytes()
    for found in recording.gops():
        piece = data[found.offset : found.offset + found.size]
        before += b"".join(sample.data for sample in by_track(read_fragments(piece))[2].samples)
        made += convert(init, piece, way)
    frames = decoded(converted_init(init, way) + made, "audio")
    assert b"".join(frame.to_ndarray().astype(">i2").tobytes() for frame in frames) == before


def test_sound_that_is_copied_is_the_same_bytes(archive: Any, clip_factory: Any) -> None:
    """Only the video of an H.265 recording with AAC is touched."""
    init, data = gop(archive, clip_factory(codec="h265", audio="aac"))
    before = by_track(read_fragments(data))[2]
    after = by_track(read_fragments(convert(init, data, Rendition("h264", "copy"))))[2]
    assert before == after


def test_every_gop_is_converted_under_one_init_segment(archive: Any, clip_factory: Any) -> None:
    """The playlist names the init segment once for all of them."""
    way = Rendition("h264", "none")
    clip = clip_factory(codec="h265", seconds=4)
    recording = archive.footage.get(archive.record(clip))
    data, made = recording.path.read_bytes(), converted_init(recording.media.init, way)
    for found in recording.gops():
        made += convert(recording.media.init, data[found.offset : found.offset + found.size], way)
    assert len(list(decoded(made, "video"))) == 40


@pytest.mark.parametrize(("audio", "law"), [("pcmu", "ulaw"), ("pcma", "alaw")])
def test_g711_becomes_flac_sample_for_sample(archive: Any, clip_factory: Any, audio: str, law: Any) -> None:
    """FLAC is lossless, so the samples are equal and not one is missing at a seam."""
    clip = clip_factory(audio=audio, seconds=4)
    recording = archive.footage.get(archive.record(clip))
    whole, init = recording.path.read_bytes(), recording.media.init
    way = Rendition("copy", "flac")
    made = converted_init(init, way)
    source = b""
    for found in recording.gops():
        data = whole[found.offset : found.offset + found.size]
        source += b"".join(sample.data for sample in by_track(read_fragments(data))[2].samples)
        made += convert(init, data, way)
    frames = list(decoded(made, "audio"))
    heard = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    assert np.array_equal(heard, decode_g711(source, law))
    assert len(heard) == 4 * 8000


def test_sound_left_out_leaves_no_trace(archive: Any, clip_factory: Any) -> None:
    """Browsers refuse a track fragment whose track the init segment does not have."""
    init, data = gop(archive, clip_factory(audio="aac"))
    way = Rendition("copy", "none")
    assert [track.handler for track in parse_init(converted_init(init, way))] == ["vide"]
    runs = read_fragments(convert(init, data, way))
    assert {run.track for run in runs} == {1}
    assert by_track(runs)[1] == by_track(read_fragments(data))[1]


def test_a_gop_without_one_good_picture_is_told(archive: Any, clip_factory: Any) -> None:
    """Not a crash of the worker, and not an empty file."""
    init, data = gop(archive, clip_factory(codec="h265"))
    run = by_track(read_fragments(data))[1]
    broken = build_fragment(1, [Run(1, run.time, [Sample(b"\0\0\0\4junk", 9000)] * 3)])
    with pytest.raises(BeholdenError) as caught:
        convert(init, broken, Rendition("h264", "none"))
    assert caught.value.code == "not_decodable"


def test_a_damaged_picture_costs_itself_not_the_gop(archive: Any, clip_factory: Any) -> None:
    """The rest of the GOP is still shown."""
    init, data = gop(archive, clip_factory(codec="h265"))
    run = by_track(read_fragments(data))[1]
    run.samples[5] = run.samples[5]._replace(data=b"\0\0\0\4junk")
    way = Rendition("h264", "none")
    made = converted_init(init, way) + convert(init, build_fragment(1, [run]), way)
    assert 5 <= len(list(decoded(made, "video"))) <= 10


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_refused_as_garbage(data: bytes) -> None:
    """Whatever lies on a damaged disk: one kind of error, never another."""
    try:
        read_fragments(data)
        parse_init(data)
    except Mp4Error:
        return


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_cut_or_altered_fragment_never_breaks_the_reader(data: Any) -> None:
    """Lengths that are read are never trusted."""
    runs = [Run(1, 5, [Sample(b"abcd", 10), Sample(b"ef", 10, False, 3)]), Run(2, 7, [Sample(b"x", 1)])]
    whole = bytearray(build_fragment(1, runs))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_fragments(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except Mp4Error:
        return


RUNS = st.lists(
    st.builds(
        Sample,
        st.binary(max_size=30),
        st.integers(0, 90_000),
        st.booleans(),
        st.sampled_from([0, 0, 3000, -3000]),
    ),
    min_size=1,
    max_size=8,
)


@given(RUNS, RUNS, st.integers(0, 2**60))
def test_fragments_read_back_as_they_were_built(video: list[Sample], sound: list[Sample], time: int) -> None:
    """Times, durations, keys, offsets and bytes, for one track or two."""
    runs = [Run(1, time, video), Run(2, time // 2, [sample._replace(offset=0) for sample in sound])]
    assert read_fragments(build_fragment(7, runs)) == runs
    assert read_fragments(build_fragment(7, runs[:1])) == runs[:1]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3000), st.sampled_from([0, 0, 0, 1, 5000])), min_size=1, max_size=12)
)
def test_flac_holds_every_sample_whatever_the_frames(frames: list[tuple[int, int]]) -> None:
    """Frames of any size with holes between them: only a stretch too short for FLAC is lost, times rise, and
    the end stays."""
    run = Run(2, 1000, [Sample(bytes([n]) * size, size + hole) for n, (size, hole) in enumerate(frames)])
    converter = FlacConverter(_g711_track())
    made = converter.convert(run)
    stretches = [0]
    for size, hole in frames:
        stretches[-1] += size
        if hole == 5000:
            stretches.append(0)
    kept = sum(length for length in stretches if length >= 16)
    if made is None:
        assert kept == 0
        return
    mp4 = build_init([converter.track]) + build_fragment(1, [made])
    assert sum(frame.samples for frame in decoded(mp4, "audio")) == kept
    assert made.end == run.end
    assert made.time >= run.time


def _g711_track() -> Any:
    from beholden.model.media import AudioFormat, StreamFormat, VideoFormat
    from beholden.play.tracks import tracks_of

    sps = bytes.fromhex("6742c00d9e21828322")
    video = VideoFormat("h264", 320, 180, (sps, b"\x68\xce\x3c\x80"))
    return tracks_of(StreamFormat(video, AudioFormat("pcmu", 8000, 1)))[1]


@pytest.mark.parametrize(
    ("size", "result"),
    [((1920, 1080), (1280, 720)), ((641, 361), (640, 360)), ((720, 1280), (404, 720)), ((16, 16), (16, 16))],
)
def test_converted_video_is_even_and_at_most_720_high(size: tuple[int, int], result: tuple[int, int]) -> None:
    """In proportion."""
    assert browser_size(*size) == result


@pytest.mark.parametrize(
    ("codecs", "video", "audio", "result"),
    [
        ("avc1,mp4a,flac", "avc1.640028", "mp4a.40.2", "copy-copy"),
        ("avc1,mp4a,flac", "avc1.640028", None, "copy-copy"),
        ("avc1,mp4a,flac", "hvc1.1.6.L120.90", "ulaw", "h264-flac"),
        ("avc1,hvc1,mp4a", "hvc1.1.6.L120.90", "alaw", "copy-none"),
        ("avc1.640028, mp4a.40.2", "avc1.42C01E", "opus", "copy-none"),
        ("h264,aac,opus", "avc1.42C01E", "opus", "copy-copy"),
        (None, "avc1.42C01E", "ulaw", "copy-flac"),
    ],
)
def test_what_is_done_for_which_browser(
    codecs: str | None, video: str, audio: str | None, result: str
) -> None:
    """As little as possible."""
    assert str(choose(Ability.parse(codecs), video, audio)) == result
    assert str(Rendition.parse(result)) == result
